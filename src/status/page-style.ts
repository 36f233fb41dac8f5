/** The page's style sheet. On a phone each table row becomes a small block: its first cell as title, the rest below. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f4f6f8;--card:#fff;--ink:#18212b;--mute:#5b6875;--line:#e3e8ed;
--good:#1b7f4d;--warn:#96600a;--bad:#b3261e;--on:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#11161b;--card:#1a2128;--ink:#e4e9ee;--mute:#98a5b2;--line:#2a333c;
--good:#5cc791;--warn:#e3ad52;--bad:#f0837a;--on:#11161b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:16px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:2px 12px;margin:4px 2px 12px}
h1{font-size:22px;margin:0;overflow-wrap:anywhere}
h2{font-size:15px;margin:0 0 8px}
h2 small{font-weight:400;color:var(--mute)}
.mute,header span{color:var(--mute)}
.bar{border-radius:12px;padding:16px 18px;color:var(--on);margin-bottom:14px}
.bar b{display:block;font-size:24px;line-height:1.2}
.bar p{margin:4px 0 0;overflow-wrap:anywhere}
.bar.good{background:var(--good)}.bar.warn{background:var(--warn)}.bar.bad{background:var(--bad)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;margin-bottom:14px}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px 16px;margin:0}
dt{color:var(--mute);font-size:13px}
dd .mute{font-weight:400}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:400;font-size:13px;color:var(--mute);padding:0 12px 6px 0;white-space:nowrap}
td{padding:7px 12px 7px 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere;
font-variant-numeric:tabular-nums}
td:first-child{font-weight:600}
tr:last-child td{padding-bottom:0}
td:last-child,th:last-child{padding-right:0}
.n{white-space:nowrap}
.good-t{color:var(--good)}.warn-t{color:var(--warn)}.bad-t{color:var(--bad)}
.good-t,.warn-t,.bad-t{font-weight:600}
.more{margin:8px 0 0;color:var(--mute)}
ul{margin:10px 0 0;padding-left:18px}
footer{color:var(--mute);font-size:13px;margin:4px 2px 12px}
footer a{color:inherit;margin-right:12px}
@media(max-width:640px){main{padding:12px}thead{display:none}table,tbody{display:block}
tr{display:flex;flex-wrap:wrap;gap:0 14px;padding:8px 0;border-top:1px solid var(--line)}
tr:first-child{border-top:0;padding-top:0}tr:last-child{padding-bottom:0}
td{border:0;padding:0}td:first-child{flex-basis:100%}td:empty{display:none}
td div{display:inline}td div::before{content:" "}
td[data-l]:not([data-l=""])::before{content:attr(data-l) " ";color:var(--mute);font-weight:400}
dl{grid-template-columns:1fr 1fr}}
@media print{body{background:#fff;color:#000;font-size:11px}main{max-width:none;padding:0}
section{break-inside:avoid;border-color:#bbb}.bar{border:2px solid #000;background:none!important;color:#000}
footer{display:none}}`;
