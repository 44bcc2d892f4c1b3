// A page of headless Chromium that has loaded the built module as Grafana does, under real SystemJS.
import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
const modules = join(here, '../node_modules');

export const findChromium = () => ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

export const launch = (viewport) =>
  puppeteer.launch({ executablePath: findChromium(), headless: true, args: ['--no-sandbox', '--disable-gpu'], defaultViewport: viewport });

/** Bundles a script of this folder for a page, and returns the file. */
export async function bundle(name) {
  const out = join(mkdtempSync(join(tmpdir(), 'front-')), name);
  const nothing = Object.fromEntries(['.woff2', '.woff', '.ttf', '.png'].map((ext) => [ext, 'empty']));
  await build({
    entryPoints: [join(here, name)], bundle: true, outfile: out, format: 'iife', logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"', global: 'window' }, loader: { '.svg': 'text', ...nothing },
  });
  return out;
}

const DRAWN = `<!doctype html><html lang="en"><head><title>Flyball</title><link rel="stylesheet" href="/drawn.css">
<style>body{font:14px Inter,Helvetica,Arial,sans-serif}</style></head>
<body><div id="root"></div><script>window.grafanaBootData = { settings: {}, user: {}, navTree: [] };</script>
<script src="/drawn.js"></script></body></html>`;

/** Serves a page that draws dashboards (drawn.js); `elsewhere` answers what is below /api. */
export async function serveDrawing(elsewhere) {
  const script = await bundle('drawn.js');
  const files = { '/drawn.js': ['text/javascript', script], '/drawn.css': ['text/css', script.replace(/js$/, 'css')] };
  const server = createServer((req, res) => {
    if (elsewhere && req.url.startsWith('/api/')) {
      elsewhere(req, res);
      return;
    }
    const [type, file] = files[req.url] ?? ['text/html'];
    res.setHeader('content-type', type);
    res.end(file ? readFileSync(file) : DRAWN);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

// SystemJS after the bundle: its define would be taken by libraries in it.
const INDEX = `<!doctype html><html lang="en"><title>Flyball</title><main><h1>Flyball</h1><div id="root"></div></main>
<script>window.grafanaBootData = { settings: {}, user: {}, navTree: [] };</script>
<script src="/host.js"></script><script src="/system.js"></script><script src="/amd.js"></script></html>`;

/** Serves the module, opens it, and hands over the page; `problems` collects errors of the page. */
export async function openModule(moduleFile) {
  const files = {
    '/host.js': await bundle('host.js'), '/module.js': moduleFile, '/system.js': join(modules, 'systemjs/dist/system.min.js'),
    '/amd.js': join(modules, 'systemjs/dist/extras/amd.min.js'),
  };
  const server = createServer((req, res) => {
    const file = files[req.url];
    res.setHeader('content-type', file ? 'text/javascript' : 'text/html');
    res.end(file ? readFileSync(file) : INDEX);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const browser = await launch({ width: 1280, height: 1000 });
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && !/404|favicon/.test(m.text()) && problems.push(m.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: 'load', timeout: 120000 });
  await page.evaluate(importModule);
  await loadAxe(page);
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, problems, close };
}

async function importModule() {
  for (const [name, value] of Object.entries(window.shared)) {
    System.set('shared:' + name, { ...value, default: value });
  }
  const map = document.createElement('script');
  map.type = 'systemjs-importmap';
  map.textContent = JSON.stringify({ imports: Object.fromEntries(Object.keys(window.shared).map((n) => [n, 'shared:' + n])) });
  document.head.append(map);
  System.prepareImport(true);
  window.plugin = (await System.import('/module.js')).plugin;
}

/**
 * Gives a page `serious(context)`: what axe calls serious or critical, once no colour changes any more. A button that becomes
 * usable fades in, and has too little contrast until then.
 */
export async function loadAxe(page) {
  await page.evaluate(readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8') + ';0');
  await page.evaluate(() => {
    window.serious = async (context) => {
      const fading = document.getAnimations().filter((a) => a.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(fading.map((a) => a.finished));
      const { violations } = await window.axe.run(context);
      return violations.filter((v) => /serious|critical/.test(v.impact));
    };
  });
}
