// The fields of the query editor, with the keyboard alone: each type of query has its own.
import assert from 'node:assert/strict';

// The fields of every type of query, in the order in which the Tab key reaches them; the first is Show.
const COMMON = ['Tenant', 'Limit'], ONE = ['Run', 'One run'];
export const FIELDS = {
  runs: ['Agent', ...ONE, 'Least level', 'Order', 'Live', ...COMMON],
  findings: ['Agent', ...ONE, 'Least level', 'Family', 'State', ...COMMON],
  held: ['Agent', ...ONE, ...COMMON], breakers: ['Agent', 'State', 'Live', ...COMMON], gates: ['Agent', ...ONE, 'State', ...COMMON],
  agents: ['Agent', 'Least level', ...COMMON], routes: ['Agent', 'Run', ...COMMON], trace: ['Run', 'Limit'], touched: ['Run', 'Limit'],
  touched_graph: ['Run', 'Limit'], resource: ['Resource', ...COMMON], score: ['Run'],
  distribution: ['Figure', 'Agent', 'Drawn as', 'Tenant'], calls: ['Agent', 'Split by', 'Tenant'],
  count: ['Count', 'Split by', 'Agent', 'Tenant'], logs: ['Run', 'Agent', ...COMMON], health: ['Part'], quality: ['Tenant'],
  sql: ['SQL', 'Agent', 'Limit'],
  annotations: ['Trips of breakers', 'Bypasses', 'New baselines', 'New versions of agents', 'Agent', ...COMMON],
};
const CHOSEN = ['Least level', 'Order', 'State', 'Figure', 'Drawn as', 'Count', 'Split by', 'Part'];

const query = (members) => ({ refId: 'A', ...members });

/** The tests of the fields, for a page with the module. */
export function fieldTests(page, { mount, last, settled, runs, labels, becomes, tabTo, choose }) {
  /** Moves the focus to the next field with the Tab key and returns its label; empty: there is none. */
  async function nextField() {
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const e = document.activeElement;
        return e === document.body ? '' : e.matches('input, textarea') && (e.labels?.[0]?.innerText.trim() ?? 'no label');
      });
      if (name !== false) {
        return name;
      }
    }
    return '';
  }

  /** Gives the field that has the focus another value, and waits until the query has it and was run. */
  async function enter(name, where) {
    const [before, ran] = [JSON.stringify(await last()), await runs()];
    if (CHOSEN.includes(name)) {
      await page.keyboard.press('ArrowDown');
      await page.waitForSelector('[role=option]', { timeout: 10000 });
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
    } else if (await page.evaluate(() => document.activeElement.type === 'checkbox')) {
      await page.keyboard.press('Space');
    } else {
      await page.keyboard.type(name === 'Limit' ? '7' : 'x');
      await page.keyboard.down('Control');
      await page.keyboard.press('Enter');
      await page.keyboard.up('Control');
    }
    const changed = async () => [JSON.stringify(await last()) !== before, (await runs()) > ran];
    await becomes(changed, [true, true]).catch((fault) => assert.fail(`${where}: ${name}: ${fault.message}`));
  }

  return {
    'agents are not completed': async () => {
      await mount('query', query({ queryType: 'runs' }));
      await tabTo('Agent');
      await page.keyboard.type('bil');
      await page.waitForFunction(() => document.querySelectorAll('datalist option').length === 2, { timeout: 10000 });
      const asked = await page.evaluate(() => window.asked.at(-1));
      assert.match(asked.url, /\/api\/datasources\/uid\/flyball\/resources\/agents$/);
      assert.deepEqual(asked.params, { prefix: 'bil' });
      assert.equal(await page.$eval('datalist option', (o) => o.value), 'billing/bot');
    },

    'a completed run is a number that says nothing': async () => {
      await mount('query', query({ queryType: 'trace' }));
      await tabTo('Run');
      await page.keyboard.type('run');
      await page.waitForFunction(() => document.querySelectorAll('datalist option').length === 1, { timeout: 10000 });
      assert.deepEqual(await page.$eval('datalist option', (o) => [o.value, o.label]), ['run-7', 'run-7 (billing/bot)']);
      const asked = await page.evaluate(() => window.asked.at(-1));
      assert.deepEqual([asked.url.split('/').at(-1), asked.params], ['runs', { prefix: 'run' }]);
      await page.keyboard.type('-7');
      await page.keyboard.press('Enter');
      assert.deepEqual([(await settled()).run, await runs()], ['run-7', 1]);
    },

    'a field of a query type is missing, cannot be used with the keyboard, or sends nothing': async () => {
      for (const [queryType, fields] of Object.entries(FIELDS)) {
        await mount('query', query({ queryType }));
        await page.evaluate(() => document.activeElement?.blur());
        assert.equal(await nextField(), 'Show', queryType);
        for (const name of fields) {
          assert.equal(await nextField(), name, queryType);
          await enter(name, queryType);
        }
        assert.ok(['', 'Show'].includes(await nextField()), `${queryType}: a field more`); // the end of the page, or its begin again
      }
    },

    'the figure of a distribution cannot be chosen with the keyboard': async () => {
      await mount('query', query({ queryType: 'runs' }));
      await choose('Show', 'Distribution');
      await becomes(async () => (await last()).of, 'calls');
      assert.deepEqual(await labels(), ['Show', 'Figure', 'Agent', 'Drawn as', 'Tenant']);
      await choose('Figure', 'share of denied calls');
      await choose('Drawn as', 'quantiles');
      const { queryType, of, by } = await settled();
      assert.deepEqual([queryType, of, by], ['distribution', 'denied', 'quantile']);
    },
  };
}
