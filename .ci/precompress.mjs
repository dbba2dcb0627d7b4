// Writes FILE.br and FILE.gz beside each FILE of a folder that becomes smaller by it, as small as can be: they are made
// once and sent many times. Prints what the browser will load.
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync, existsSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = process.argv[2];
const alreadyCompressed = /\.(br|gz|woff2|png|jpe?g|webp|avif)$/;
const kB = (bytes) => `${(bytes / 1000).toFixed(1).padStart(8)} kB`;

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || alreadyCompressed.test(path)) continue;
  const isText = !path.endsWith(".wasm");
  const plain = readFileSync(path);
  const { mtime } = statSync(path);
  const is = (made) => existsSync(made) && statSync(made).mtimeMs === mtime.getTime();
  const write = (made, bytes) => {
    if (bytes.length < plain.length * 0.95) {
      writeFileSync(made, bytes);
      // The same time as its source says, on the next run, that it is still of that source.
      utimesSync(made, mtime, mtime);
    }
    return bytes.length;
  };
  if (is(`${path}.br`) && is(`${path}.gz`)) continue;
  const brotli = write(
    `${path}.br`,
    brotliCompressSync(plain, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
        [constants.BROTLI_PARAM_MODE]: isText ? constants.BROTLI_MODE_TEXT : constants.BROTLI_MODE_GENERIC,
      },
    }),
  );
  const gzip = write(`${path}.gz`, gzipSync(plain, { level: 9 }));
  console.log(`    ${kB(plain.length)}, br ${kB(brotli)}, gz ${kB(gzip)}  ${relative(folder, path)}`);
}
