// Builds dist/: module.js with its plugin.json and pictures, as Grafana's plugin folder holds them.
// Grafana loads AMD and esbuild writes none, so its CommonJS stands in a define() with the modules that Grafana shares.
// esbuild and not webpack: it is the one package that a build needs, and the browser test bundles its host with it.
import { build } from 'esbuild';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What Grafana shares with plugins and this one may import. */
export const SHARED = [
  '@grafana/data', '@grafana/runtime', '@grafana/schema', '@grafana/ui', '@emotion/css', 'lodash', 'react', 'react-dom', 'rxjs',
];

const here = dirname(fileURLToPath(import.meta.url));

export async function buildFront(out = join(here, 'dist')) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const options = {
    absWorkingDir: here, entryPoints: ['src/module.ts'], bundle: true, format: 'cjs', platform: 'browser', target: 'es2021',
    jsx: 'transform', external: SHARED, minify: true, legalComments: 'none', logLevel: 'error', outfile: join(out, 'module.js'),
    metafile: true,
  };
  // The first pass says which shared modules are in use: an AMD module names them before it runs.
  const { metafile } = await build({ ...options, write: false });
  const imports = Object.values(metafile.outputs).flatMap((o) => o.imports);
  const used = [...new Set(imports.filter((i) => i.external).map((i) => i.path))].sort();
  const parameters = used.map((_, i) => `m${i}`);
  const table = used.map((name, i) => `${JSON.stringify(name)}:m${i}`).join();
  await build({
    ...options,
    banner: { js: `define(${JSON.stringify(used)},function(${parameters}){"use strict";var shared={${table}};`
      + 'var require=function(name){return shared[name]};var module={exports:{}};' },
    footer: { js: 'return module.exports});' },
  });
  for (const file of ['plugin.json', 'img']) {
    cpSync(join(here, 'src', file), join(out, file), { recursive: true });
  }
  return { out, used };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { out, used } = await buildFront();
  console.log(`${out}: module.js uses ${used.join(', ')}`);
}
