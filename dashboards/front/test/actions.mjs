// Presses the buttons of the dashboards, drawn by Grafana's own components, with the keyboard alone, as persons with different roles. A Go
// test has made the rows (argument 1, a file) and answers what the buttons send (argument 2, an address): it is the built plugin with a
// control API behind it. Each check is named after what goes wrong. How Grafana itself sends an action and shows the answer is written
// again in drawn.js.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { findChromium, launch, loadAxe, serveDrawing } from './page.mjs';

const [rowsFile, backend] = process.argv.slice(2);
if (!findChromium()) {
  console.log('SKIPPED TIER front: no Chromium is installed');
  process.exit(/front|all/.test(process.env.FLYBALL_REQUIRE_TIERS || '') ? 1 : 0);
}
const { gates: [first, second], rows } = JSON.parse(readFileSync(rowsFile));
const WAIT = { timeout: 120000 };
let sent = 0; // requests of the page to Grafana
const server = await serveDrawing((req, res) => {
  sent++;
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
await loadAxe(page);

/** Draws a dashboard with its rows as a person with a role. The session, which Grafana has in a cookie, says who it is. */
async function open(uid, role, { ds = 'plain', gate = first } = {}) {
  const board = JSON.parse(readFileSync(join(import.meta.dirname, '../../json', uid.replace('flyball-', '') + '.json')));
  const of = rows[gate].find((b) => b.uid === uid);
  board.panels = board.panels.filter((p) => of.panels[p.title]);
  const answers = board.panels.map((p) => ({ answers: p.targets.map(() => of.panels[p.title]) }));
  await page.evaluate((role) => {
    document.cookie = `role=${role}; path=/`;
  }, role);
  const values = { ds, every: '', agent: 'billing', run: 'k1' };
  await page.evaluate((...all) => window.draw(...all), board, { answers, values, from: 0, to: 1 }, 'dark', role);
  const drawn = (n) => [...document.querySelectorAll('[role=grid]')].filter((g) => g.querySelector('[role=gridcell]')).length === n;
  await page.waitForFunction(drawn, WAIT, board.panels.length);
}

const buttons = () => page.$$eval('[role=gridcell] button', (all) => all.map((b) => b.innerText.trim()));
const said = () => page.$eval('#said', (e) => `${e.getAttribute('role')}: ${e.textContent}`).catch(() => '');
const focused = () => page.evaluate(() => (document.activeElement === document.body ? '' : document.activeElement.innerText.trim()));
/** The focus goes back a moment after a dialog has gone. */
const focusOn = (text) => page.waitForFunction((text) => document.activeElement.innerText?.trim() === text, { timeout: 5000 }, text)
  .catch(async () => assert.fail(`the focus is on "${await focused()}", and not on "${text}"`));
const dialog = (title) => page.waitForFunction(
  (title) => (document.querySelector('[role=dialog]')?.innerText ?? '').startsWith(title), WAIT, title);
const noDialog = () => page.waitForFunction(() => !document.querySelector('[role=dialog]'), WAIT);

/** Moves the focus with the Tab key until something with a text has it. */
async function tabTo(text) {
  for (let i = 0; i < 150; i++) {
    if ((await focused()) === text) {
      return;
    }
    await page.keyboard.press('Tab');
  }
  assert.fail(`"${text}" cannot be reached with the Tab key; the last focus is on "${await focused()}"`);
}

async function faults() {
  return page.evaluate(async () => {
    const found = await window.serious(document.querySelector('[role=dialog]') ?? document.body);
    return found.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`);
  });
}

/** Opens the questions of a button. */
async function start(title) {
  await page.evaluate(() => {
    document.getElementById('said')?.remove();
    document.activeElement?.blur();
  });
  await tabTo(title);
  await page.keyboard.press('Enter');
  await dialog('Action variables');
}

/** Types the answers to the questions, by words that are in them, and goes on to the confirmation. Returns both as they are read. */
async function answer(typed) {
  const questions = await page.$$eval('[role=dialog] label', (all) => all.map((l) => l.innerText.trim()));
  const inputs = await page.$$('[role=dialog] input');
  assert.equal(inputs.length, questions.length, `${questions}`);
  for (const [i, question] of questions.entries()) {
    for (let n = 0; n < 20 && !(await inputs[i].evaluate((e) => e === document.activeElement)); n++) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.down('Control');
    await page.keyboard.press('a');
    await page.keyboard.up('Control');
    await page.keyboard.press('Backspace');
    await page.keyboard.type(Object.entries(typed).find(([words]) => question.includes(words))?.[1] ?? '');
  }
  await tabTo('Continue');
  await page.keyboard.press('Enter');
  await dialog('Confirm action');
  return { questions, confirmation: await page.$eval('[role=dialog]', (e) => e.innerText) };
}

/** Presses a button, answers and confirms. */
async function press(title, typed) {
  await start(title);
  const read = await answer(typed);
  await tabTo('Confirm');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#said', WAIT);
  return { ...read, said: await said() };
}

/** Sends an action from the page without a button. */
const direct = (path) => page.evaluate(async (path) => {
  const headers = { 'Content-Type': 'application/json', 'X-Grafana-Action': '1' };
  const answer = await fetch(`/api/datasources/uid/mapped/resources/${path}`, { method: 'POST', headers, body: '{}' });
  return [answer.status, (await answer.json()).message];
}, path);

const ALL = {
  'flyball-overview': ['Reset', 'True', 'Benign', 'Except', 'Grant', 'Refuse', 'Trip the agent'], 'flyball-run': ['Trip'],
  'flyball-gates': ['End the bypass'],
};
const EXCEPTION = { 'Type the agent': 'billing', long: '1h', Why: 'a migration' };

const tests = {
  'a Viewer has a button, or acts without one': async () => {
    for (const uid of Object.keys(ALL)) {
      await open(uid, 'Viewer');
      assert.deepEqual((await buttons()).filter((b) => Object.values(ALL).flat().includes(b)), [], uid);
    }
    for (const path of ['breakers/trip?run=k1&reason=x&for=15m', `gates/grant?gate=${first}&reason=x`, 'bypass/end?reason=x']) {
      const [status, message] = await direct(path);
      assert.equal(status, 403, path);
      assert.match(message, /viewer may not do this: Grafana's role Viewer is mapped to see, and this needs/);
    }
  },

  'a button is missing, or is out of reach of the Tab key': async () => {
    for (const role of ['Editor', 'Admin']) {
      for (const [uid, titles] of Object.entries(ALL)) {
        await open(uid, role);
        const there = await buttons();
        assert.deepEqual(titles.filter((title) => !there.includes(title)), [], `${role}, ${uid}: ${there}`);
        for (const title of role === 'Editor' ? titles : []) {
          await page.evaluate(() => document.activeElement?.blur());
          await tabTo(title);
        }
      }
    }
  },

  'Escape sends the command, or the focus is lost': async () => {
    await open('flyball-run', 'Editor');
    const before = sent;
    await start('Trip');
    await page.keyboard.type('15m');
    await page.keyboard.press('Escape');
    await noDialog();
    await focusOn('Trip');
    await start('Trip');
    await answer({ Why: 'x', long: '15m' });
    await page.keyboard.press('Escape');
    await noDialog();
    await focusOn('Trip');
    assert.deepEqual([sent - before, await said()], [0, '']);
  },

  'a trip does not ask why and for how long, or does not name what it will hold': async () => {
    await open('flyball-run', 'Editor');
    await start('Trip');
    assert.deepEqual(await faults(), []);
    const got = await answer({ Why: 'looks "wrong" & more', long: '15m' });
    assert.deepEqual(await faults(), []);
    assert.deepEqual(got.questions.map((q) => q.slice(0, 12)), ['For how long', 'Why (it stan']);
    for (const words of ['Hold run k1 of agent billing', 'for 15m']) {
      assert.ok(got.confirmation.includes(words), got.confirmation);
    }
    // A second press at once does not send a second command.
    const before = sent;
    await tabTo('Confirm');
    await Promise.all([page.keyboard.press('Enter'), page.keyboard.press('Enter')]);
    await page.waitForSelector('#said', WAIT);
    assert.match(await said(), /^status: run .* is held in tenant t, until .* Undo: reset breaker run /);
    assert.equal(sent - before, 1);
    // After a confirmation Grafana's dialog (13.2.2) does not return the focus to the button: the module does.
    await noDialog();
    await focusOn('Trip');
    assert.equal(sent - before, 1);
    await page.keyboard.press('Enter');
    await dialog('Action variables');
    await page.keyboard.press('Escape');
    await noDialog();
    assert.equal(sent - before, 1);
  },

  'a key that is held after a confirmation presses the button again, or the focus is taken from who has moved it': async () => {
    await open('flyball-run', 'Editor'); // without a reason, which is refused: nothing is held
    await start('Trip');
    await answer({ Why: '', long: '15m' });
    await tabTo('Confirm');
    await page.keyboard.down('Enter');
    await page.waitForSelector('#said', WAIT);
    const before = sent;
    for (let i = 0; i < 10; i++) {
      await page.keyboard.down('Enter'); // repeats
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.deepEqual([sent - before, await focused(), await page.$('[role=dialog]')], [0, '', null]);
    await page.keyboard.up('Enter');
    await focusOn('Trip');

    await start('Trip');
    await answer({ Why: '', long: '15m' });
    await tabTo('Confirm');
    await page.keyboard.down('Shift');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#said', WAIT);
    await page.keyboard.press('Tab');
    const moved = await focused();
    await page.keyboard.up('Shift');
    await new Promise((done) => setTimeout(done, 500));
    assert.equal(await focused(), moved);
    assert.notEqual(moved, '');
  },

  'a refusal is not shown': async () => {
    await open('flyball-run', 'Editor');
    assert.match((await press('Trip', { Why: '', long: '15m' })).said, /^alert: reason: empty/);
    assert.match((await press('Trip', { Why: 'x', long: 'soon' })).said, /^alert: for: "soon" is no duration from 1m to 7d/);
  },

  'an Editor cannot respond': async () => {
    await open('flyball-overview', 'Editor');
    const reset = await press('Reset', { Why: 'looked at it' });
    assert.ok(reset.confirmation.includes('Let agent support call again'), reset.confirmation);
    assert.match(reset.said, /^status: agent support is not held any more/);
    const granted = await press('Grant', { Why: 'he asked for it' });
    assert.ok(granted.confirmation.includes('Allow DELETE /v1/orders/{order_id} on order:7 of agent billing, for one call'));
    assert.match(granted.said, /^status: gate .* granted once/);
    const judged = await press('True', { Why: 'it deleted orders' });
    assert.ok(judged.confirmation.includes('the finding on run k1 of agent billing is right'), judged.confirmation);
    assert.match(judged.said, /^status: finding f_unjudged is judged true/);
    const all = await press('Trip the agent', { 'Type the agent': 'billing', long: '1h', Why: 'all of them' });
    assert.ok(all.confirmation.includes('Hold every run of agent billing for 1h. You chose billing'), all.confirmation);
    assert.match(all.said, /^status: agent billing is held/);
    await open('flyball-overview', 'Editor', { gate: second });
    assert.match((await press('Refuse', { Why: 'nobody asked for it' })).said, /^status: gate .* refused/);
  },

  'an Editor bypasses, or an Admin whose role is not mapped to bypass': async () => {
    for (const [role, ds, who] of [['Editor', 'mapped', 'editor'], ['Admin', 'plain', 'admin']]) {
      await open('flyball-overview', role, { ds });
      const got = await press('Except', EXCEPTION);
      assert.ok(got.confirmation.includes('findings runaway.loop of agent billing as meant for 1h. You chose billing'), got.confirmation);
      assert.match(got.said, new RegExp(`^alert: ${who} may not do this: .* is mapped to respond, and this needs bypass`));
      await open('flyball-gates', role, { ds });
      assert.match((await press('End the bypass', { Why: 'over' })).said, /^alert: .* needs bypass/);
    }
  },

  'an Admin whose role is mapped to bypass is refused': async () => {
    await open('flyball-overview', 'Admin', { ds: 'mapped' });
    const got = await press('Except', EXCEPTION);
    assert.match(got.said, /^status: findings runaway.loop of agent billing are taken as meant/);
    await open('flyball-gates', 'Admin', { ds: 'mapped' });
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
    const target = `${home}api/datasources/uid/mapped/resources/breakers/trip?agent=billing&reason=x&for=15m`;
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
    // That nothing was held is checked by the Go test, which reads the audit trail.
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
