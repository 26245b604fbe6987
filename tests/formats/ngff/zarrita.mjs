// Prints what zarrita.js, the reader inside of web viewers, finds in each of the
// arrays: shape and pixels, one line of JSON for each.
import { FileSystemStore } from "@zarrita/storage";
import * as zarr from "zarrita";

for (const path of process.argv.slice(2)) {
  const array = await zarr.open(new FileSystemStore(path), { kind: "array" });
  const { shape, data } = await zarr.get(array);
  console.log(JSON.stringify({ shape, data: Array.from(data) }));
}
