// Prints what zarrita.js, the reader inside of web viewers, finds in an array: its
// shape and its pixels, as JSON.
import { FileSystemStore } from "@zarrita/storage";
import * as zarr from "zarrita";

const array = await zarr.open(new FileSystemStore(process.argv[2]), { kind: "array" });
const { shape, data } = await zarr.get(array);
console.log(JSON.stringify({ shape, data: Array.from(data) }));
