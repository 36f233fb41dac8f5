import { writeToStream } from 'mqtt-packet';

// Before its first packet the writer would make a buffer for each of 65536 numbers: 0.2 s of a start, and 8 MB.
writeToStream.cacheNumbers = false;
