// Presses the buttons of the dashboards, drawn by Grafana's own components, as persons with different roles. A Go test has made the rows
// (argument 1, a file) and answers what the buttons send (argument 2, an address): it is the data source with a control API behind it.
// Each check is named after what goes wrong. How Grafana itself sends an action and shows the answer is written again in drawn.js.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { findChromium, launch, serveDrawing } from './page.mjs';

const [rowsFile, backend] = process.argv.slice(2);
if (!findChromium()) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}
const rows = JSON.parse(readFileSync(rowsFile));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const server = await serveDrawing((req, res) => {
  const to = request(backend + req.url, { method: req.method, headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  req.pipe(to);
});
const home = `http://127.0.0.1:${server.address().port}/`;
const browser = await launch({ width: 1280, height: 1400 });
const page = await browser.newPage();
const problems = [];
page.on('pageerror', (fault) => problems.push(String(fault)));
await page.goto(home, { waitUntil: 'load', timeout: 180000 });
await page.evaluate(readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8') + ';0');

/** Draws a dashboard with its rows as a person with a role. The session, which Grafana has in a cookie, says who it is. */
async function open(uid, role) {
  const board = JSON.parse(readFileSync(join(import.meta.dirname, '../../json', uid.replace('flyball-', '') + '.json')));
  const of = rows.boards.find((b) => b.uid === uid);
  board.panels = board.panels.filter((p) => of.panels[p.title]);
  const answers = board.panels.map((p) => ({ answers: p.targets.map(() => of.panels[p.title]) }));
  await page.evaluate((role) => {
    document.cookie = `role=${role}; path=/`;
  }, role);
  await page.evaluate((...all) => window.draw(...all), board, { answers, values: rows.values, from: 0, to: 1 }, 'dark', role);
  await page.waitForFunction((n) => document.querySelectorAll('[role=grid]').length === n, { timeout: 120000 }, board.panels.length);
  await pause(300);
}

const buttons = () => page.$$eval('[role=grid] button', (all) => all.map((b) => b.innerText.trim()).filter(Boolean));
const said = () => page.$eval('#said', (e) => `${e.getAttribute('role')}: ${e.textContent}`).catch(() => '');
const hasFocus = (text) => page.evaluate((text) => document.activeElement?.innerText?.trim() === text, text);

/** Moves the focus with the Tab key until something with a text has it. */
async function tabTo(text) {
  for (let i = 0; i < 120; i++) {
    if (await hasFocus(text)) {
      return;
    }
    await page.keyboard.press('Tab');
  }
  assert.fail(`"${text}" cannot be reached with the Tab key`);
}

async function faults() {
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document.querySelector('[role=dialog]') ?? document.body);
    return violations.filter((v) => /serious|critical/.test(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`);
  });
}

/** Presses a button with the keyboard, types the answers to its questions, and returns the questions and the confirmation. */
async function press(title, typed) {
  await page.evaluate(() => {
    document.getElementById('said')?.remove();
    document.activeElement?.blur();
  });
  await tabTo(title);
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=dialog] input', { timeout: 120000 });
  const questions = await page.$$eval('[role=dialog] label', (all) => all.map((l) => l.innerText.trim()));
  const unheard = await faults();
  const inputs = await page.$$('[role=dialog] input');
  assert.equal(inputs.length, questions.length, `${title}: ${questions}`);
  for (const [i, question] of questions.entries()) {
    const answer = Object.entries(typed).find(([words]) => question.includes(words))?.[1] ?? '';
    for (let n = 0; n < 20 && !(await inputs[i].evaluate((e) => e === document.activeElement)); n++) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.type(answer);
  }
  await tabTo('Continue');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /Confirm action/.test(document.querySelector('[role=dialog]')?.innerText ?? ''), { timeout: 120000 });
  const confirmation = await page.$eval('[role=dialog]', (e) => e.innerText);
  unheard.push(...(await faults()));
  await tabTo('Confirm');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#said', { timeout: 120000 });
  return { questions, confirmation, unheard, said: await said() };
}

/** Sends an action from the page without a button. */
const direct = (path) => page.evaluate(async (path) => {
  const headers = { 'Content-Type': 'application/json', 'X-Grafana-Action': '1' };
  const answer = await fetch(`/api/datasources/uid/u/resources/${path}`, { method: 'POST', headers, body: '{}' });
  return [answer.status, (await answer.json()).message];
}, path);

const ALL = {
  'flyball-overview': ['Reset', 'True', 'Benign', 'Except', 'Grant', 'Refuse'], 'flyball-run': ['Trip'],
  'flyball-gates': ['End the bypass'],
};

const tests = {
  'a Viewer has a button, or acts without one': async () => {
    for (const uid of Object.keys(ALL)) {
      await open(uid, 'Viewer');
      assert.deepEqual((await buttons()).filter((b) => Object.values(ALL).flat().includes(b)), [], uid);
    }
    const [status, message] = await direct(`breakers/trip?run=${rows.run}&reason=x&for=15m`);
    assert.equal(status, 403);
    assert.match(message, /Viewer is mapped to see/);
  },

  'an Editor or an Admin misses a button': async () => {
    for (const role of ['Editor', 'Admin']) {
      for (const [uid, titles] of Object.entries(ALL)) {
        await open(uid, role);
        const there = await buttons();
        assert.deepEqual(titles.filter((title) => !there.includes(title)), [], `${role}, ${uid}: ${there}`);
      }
    }
  },

  'a trip does not ask why and for how long, or does not name what it will hold': async () => {
    await open('flyball-run', 'Editor');
    const got = await press('Trip', { Why: 'looks "wrong" & more', long: '15m' });
    assert.deepEqual(got.questions.map((q) => q.slice(0, 12)), ['For how long', 'Why (it stan']);
    for (const words of [`Hold run ${rows.run} of agent billing`, 'for 15m']) {
      assert.ok(got.confirmation.includes(words), got.confirmation);
    }
    assert.match(got.said, /^status: run .* is held in tenant t, until .* Undo: flyball breakers reset run /);
    assert.deepEqual(got.unheard, []);
  },

  'a refusal is not shown': async () => {
    await open('flyball-run', 'Editor');
    assert.match((await press('Trip', { Why: '', long: '15m' })).said, /^alert: reason: empty/);
    assert.match((await press('Trip', { Why: 'x', long: 'soon' })).said, /^alert: for: "soon" is no duration from 1m to 7d/);
    await open('flyball-overview', 'Editor');
    assert.match((await press('Grant', { Why: 'x' })).said, /^alert: /, 'a question that nobody asked is granted');
  },

  'an Editor excepts or ends a bypass': async () => {
    await open('flyball-overview', 'Editor');
    const got = await press('Except', { 'Type the agent': 'billing', long: '1h', Why: 'a migration' });
    assert.match(got.said, /^alert: editor may not do this: .* needs bypass/);
    assert.ok(got.confirmation.includes('runaway.loop of agent billing as meant for 1h. You clicked billing'), got.confirmation);
    await open('flyball-gates', 'Editor');
    assert.match((await press('End the bypass', { Why: 'over' })).said, /^alert: .* needs bypass/);
  },

  'an Admin whose role is mapped to bypass is refused': async () => {
    await open('flyball-overview', 'Admin');
    const got = await press('Except', { 'Type the agent': 'billing', long: '1h', Why: 'a migration' });
    assert.match(got.said, /^status: findings runaway.loop of agent billing are taken as meant/);
    await open('flyball-gates', 'Admin');
    const ended = await press('End the bypass', { Why: 'over' });
    assert.ok(ended.confirmation.includes('the bypass of the whole tenant'), ended.confirmation);
    assert.match(ended.said, /^status: the bypass of the tenant has ended/);
  },

  'a page of another site acts with the session of an Editor': async () => {
    await page.evaluate(() => {
      document.cookie = 'role=Editor; path=/';
    });
    const evil = createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html><title>x</title>'));
    await new Promise((done) => evil.listen(0, 'localhost', done));
    const other = await browser.newPage();
    await other.goto(`http://localhost:${evil.address().port}/`);
    const target = `${home}api/datasources/uid/u/resources/breakers/trip?agent=billing&reason=x&for=15m`;
    const tried = await other.evaluate(async (target) => {
      const tries = [
        { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' },
        { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body: '{}' },
        { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json', 'X-Grafana-Action': '1' }, body: '{}' },
      ];
      return Promise.all(tries.map((t) => fetch(target, t).then((r) => `${r.type} ${r.status}`, () => 'refused')));
    }, target);
    assert.deepEqual(tried.filter((t) => !/^opaque 0|refused/.test(t)), [], 'the other site reads an answer');
    await other.close();
    evil.close();
    // That nothing was held is checked by the Go test, which knows the control API.
  },

  'the page reports an error': async () => assert.deepEqual(problems, []),
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok   not so: ${name}`);
  } catch (fault) {
    failed++;
    console.log(`FAIL ${name}\n${fault.stack}`);
  }
}
await browser.close();
server.close();
console.log(`actions: ${Object.keys(tests).length - failed} of ${Object.keys(tests).length} tests passed`);
process.exit(failed ? 1 : 0);
