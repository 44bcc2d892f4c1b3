// What a person does with an editor of the module, in a page that has loaded it (page.mjs): mounts it, moves with the keys, reads it.
import assert from 'node:assert/strict';

export function editorsOf(page) {
  /** Mounts an editor and waits until it is drawn. */
  async function mount(kind, value, options = {}) {
    await page.evaluate((kind, value, options) => {
      const { QueryEditor, ConfigEditor } = window.plugin.components;
      const editors = { query: QueryEditor, config: ConfigEditor, variable: window.datasource().variables.editor };
      window.mount(editors[kind], kind, value, options);
    }, kind, value, options);
    await page.waitForSelector(`[data-testid=flyball-${kind}]`, { timeout: 30000 });
  }

  const last = () => page.evaluate(() => window.changes.at(-1));
  /** The last change, once there has been none for 300 ms. */
  async function settled() {
    let before;
    for (let i = 0; i < 20; i++) {
      const now = JSON.stringify(await last());
      if (now !== undefined && now === before) {
        break;
      }
      before = now;
      await new Promise((done) => setTimeout(done, 300));
    }
    return last();
  }
  const runs = () => page.evaluate(() => window.runs);
  const labels = () => page.$$eval('label', (all) => all.map((l) => l.innerText.trim()).filter(Boolean));

  /** The input that a label is bound to; no such label within five seconds, or one bound to nothing, is an error. */
  async function field(label) {
    const bound = (label) => [...document.querySelectorAll('label')].find((l) => l.innerText.trim() === label)?.control?.id;
    const id = await page.waitForFunction(bound, { timeout: 5000 }, label).then((found) => found.jsonValue(), () => '');
    assert.ok(id, `the label "${label}" is bound to an input; labels: ${await labels()}`);
    return page.$(`[id="${id}"]`);
  }
  const shown = async (label) => (await field(label)).evaluate((e) => (e.type === 'checkbox' ? e.checked : e.value));

  /** Waits at most five seconds until what is read is as wanted: the page draws a little after a key. */
  async function becomes(read, want) {
    for (const end = Date.now() + 5000; ; await new Promise((done) => setTimeout(done, 50))) {
      try {
        assert.deepEqual(await read(), want);
        return;
      } catch (fault) {
        if (Date.now() > end) {
          throw fault;
        }
      }
    }
  }

  /** Moves the focus with the Tab key until the labelled input has it. */
  async function tabTo(label) {
    const wanted = await field(label);
    await page.evaluate(() => document.activeElement?.blur());
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await wanted.evaluate((e) => e === document.activeElement)) {
        return;
      }
    }
    assert.fail(`"${label}" cannot be reached with the Tab key`);
  }

  /** Chooses in a list with the keyboard: the words narrow it, the arrows move to the option, Enter takes it. */
  async function choose(label, words) {
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    const options = () => page.$$eval('[role=option]', (all) => all.map((o) => o.innerText));
    const marked = () => page.$$eval('[role=option][aria-selected=true]', (all) => all.map((o) => o.innerText));
    await tabTo(label);
    await page.keyboard.press('ArrowDown');
    await page.waitForSelector('[role=option]', { timeout: 10000 });
    await page.keyboard.type(words);
    for (let before = '', i = 0; i < 40; i++) { // until the list has been narrowed and no longer changes
      const now = (await options()).join('\n');
      if (now === before && now.startsWith(words)) {
        break;
      }
      before = now;
      await pause(250);
    }
    for (let i = 0; i < 20 && !(await marked()).some((o) => o.startsWith(words)); i++) {
      await page.keyboard.press('ArrowDown');
      await pause(100);
    }
    assert.ok((await marked()).some((o) => o.startsWith(words)), `"${words}" is offered for "${label}": ${await options()}`);
    await page.keyboard.press('Enter');
  }

  async function clear() {
    await page.keyboard.down('Control');
    await page.keyboard.press('a');
    await page.keyboard.up('Control');
    await page.keyboard.press('Backspace');
  }

  /** Faults that axe calls serious or critical. */
  async function faults() {
    return page.evaluate(async () => {
      const found = await window.serious(document.getElementById('root'));
      return found.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(' | ')}`);
    });
  }

  return { mount, last, settled, runs, labels, field, shown, becomes, tabTo, choose, clear, faults };
}
