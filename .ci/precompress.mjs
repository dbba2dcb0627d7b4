// Writes FILE.br and FILE.gz beside each FILE of a folder that becomes smaller by it, as small as can be: they are made
// once and sent many times. Prints what the browser will load.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = process.argv[2];
const alreadyCompressed = /\.(br|gz|woff2|png|jpe?g|webp|avif)$/;
const kB = (bytes) => `${(bytes / 1000).toFixed(1).padStart(8)} kB`;

const brotli = (plain, mode) =>
  brotliCompressSync(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
      [constants.BROTLI_PARAM_MODE]: mode,
    },
  });

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || alreadyCompressed.test(path)) continue;
  const plain = readFileSync(path);
  const mode = path.endsWith(".wasm") ? constants.BROTLI_MODE_GENERIC : constants.BROTLI_MODE_TEXT;
  const made = { br: brotli(plain, mode), gz: gzipSync(plain, { level: 9 }) };
  for (const [suffix, bytes] of Object.entries(made)) {
    if (bytes.length < plain.length) writeFileSync(`${path}.${suffix}`, bytes);
  }
  console.log(`    ${kB(plain.length)}, br ${kB(made.br.length)}, gz ${kB(made.gz.length)}  ${relative(folder, path)}`);
}
