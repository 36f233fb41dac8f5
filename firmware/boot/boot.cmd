# U-Boot's script: picks the slot to boot from, notes the attempt, starts the slot's kernel. See firmware/README.md.
# The words between @ are filled in by image.sh. It makes do with what the U-Boot of every board has: Rockchip's cannot
# count (no setexpr), and `read` by partition is in none.

setenv vars serial BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT BOOT_A_GOOD BOOT_B_GOOD
setenv buffer @BUFFER@
${devtype} dev ${devnum}

# The state lies there twice, as an environment of 4 KiB with a checksum. The serials of the two follow one another in
# the circle 0, 1, 2, so they tell which is newer; one that a power cut spoilt does not count.
setenv serial0
setenv serial1
if ${devtype} read ${buffer} @COPY0@ 8 && env import -c ${buffer} 0x1000 ${vars}; then setenv serial0 ${serial}; fi
if ${devtype} read ${buffer} @COPY1@ 8 && env import -c ${buffer} 0x1000 ${vars}; then setenv serial1 ${serial}; fi
setenv newer none
if test -n "${serial0}"; then setenv newer @COPY0@; fi
if test -z "${serial0}" -a -n "${serial1}"; then setenv newer @COPY1@; fi
if test "${serial0}${serial1}" = 01 -o "${serial0}${serial1}" = 12 -o "${serial0}${serial1}" = 20; then setenv newer @COPY1@; fi
if test "${newer}" = none; then
  echo "Linkspan: no boot state, both slots count as good"
  setenv serial 0
  setenv BOOT_ORDER A B
  setenv BOOT_A_LEFT 3
  setenv BOOT_B_LEFT 3
  setenv BOOT_A_GOOD 1
  setenv BOOT_B_GOOD 1
else
  ${devtype} read ${buffer} ${newer} 8
  env import -c ${buffer} 0x1000 ${vars}
fi

# The first slot of the order that has attempts left
setenv slot
for candidate in ${BOOT_ORDER}; do
  if test -z "${slot}"; then
    if test "${candidate}" = A && test -n "${BOOT_A_LEFT}" && test "${BOOT_A_LEFT}" != 0; then setenv slot A; fi
    if test "${candidate}" = B && test -n "${BOOT_B_LEFT}" && test "${BOOT_B_LEFT}" != 0; then setenv slot B; fi
  fi
done
# None: all over again, with the slots that were seen working. One that failed its trial stays out, unless there is no other.
if test -z "${slot}"; then
  echo "Linkspan: no slot has attempts left; all over again"
  if test "${BOOT_A_GOOD}" = 1 -o "${BOOT_B_GOOD}" != 1; then setenv BOOT_A_LEFT 3; fi
  if test "${BOOT_B_GOOD}" = 1 -o "${BOOT_A_GOOD}" != 1; then setenv BOOT_B_LEFT 3; fi
  for candidate in ${BOOT_ORDER}; do
    if test -z "${slot}"; then
      if test "${candidate}" = A && test "${BOOT_A_LEFT}" = 3; then setenv slot A; fi
      if test "${candidate}" = B && test "${BOOT_B_LEFT}" = 3; then setenv slot B; fi
    fi
  done
fi

# One attempt less, by looking it up
if test "${slot}" = A; then setenv left ${BOOT_A_LEFT}; else setenv left ${BOOT_B_LEFT}; fi
setenv fewer 0
setenv after 0
for number in 1 2 3 4 5 6 7 8; do
  if test "${left}" = "${number}"; then setenv after ${fewer}; fi
  setenv fewer ${number}
done
if test "${slot}" = A; then setenv BOOT_A_LEFT ${after}; else setenv BOOT_B_LEFT ${after}; fi

# Noted in the older copy, before anything is started. Written nowhere but into the partition that is there for it.
if test "${serial}" = 0; then setenv serial 1; elif test "${serial}" = 1; then setenv serial 2; else setenv serial 0; fi
if test "${newer}" = @COPY0@; then setenv older @COPY1@; else setenv older @COPY0@; fi
# In hexadecimal, as the words between @ are.
part start ${devtype} ${devnum} bootstate place
if test "${place}" = @COPY0@; then
  env export -c -s 0x1000 ${buffer} ${vars}
  ${devtype} write ${buffer} ${older} 8
fi

# Arguments for the kernel that somebody put onto the partition as a line of text; "extra=" before it makes it a variable.
setenv extra
mw.b @BUFFER@ 0 0x1000
mw.l @BUFFER@ 0x72747865
mw.w @BUFFER_4@ 0x3d61
load ${devtype} ${devnum}:${distro_bootpart} @BUFFER_6@ cmdline.txt 0xf00
env import -t -r @BUFFER@ - extra
part number ${devtype} ${devnum} root${slot} root
setenv bootargs root=PARTLABEL=root${slot} ro rauc.slot=${slot} panic=5 gpt loglevel=5 systemd.show_status=auto @CONSOLE@ ${extra}
echo "Linkspan: slot ${slot}, ${after} attempts left after this one"
if load ${devtype} ${devnum}:${root} ${kernel_addr_r} /boot/vmlinuz && load ${devtype} ${devnum}:${root} @BUFFER@ /boot/initrd; then
  setenv initrd @BUFFER@:${filesize}
  # The device tree that the board's own firmware made, or the slot's
  setenv tree ${fdt_addr}
  if test -n "@DEVICE_TREE@"; then
    if load ${devtype} ${devnum}:${root} ${fdt_addr_r} /boot/dtbs/@DEVICE_TREE@; then setenv tree ${fdt_addr_r}; fi
  fi
  if test -z "${tree}"; then setenv tree ${fdtcontroladdr}; fi
  booti ${kernel_addr_r} ${initrd} ${tree}
fi
echo "Linkspan: slot ${slot} does not start"
sleep 3
reset
