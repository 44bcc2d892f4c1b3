// Draws a dashboard with Grafana's own components: frame of a panel, table, numbers, charts. Node graph, trace and logs are in no
// package: their panels say so. Variables have the values with which the panels' queries were asked.
import {
  applyFieldOverrides, cacheFieldDisplayNames, createTheme, dateTime, displayNameOverrideProcessor, EventBusSrv,
  FieldConfigOptionsRegistry, getDisplayValueAlignmentFactors, getFieldDisplayValues, getHistogramFields, identityOverrideProcessor,
  NodeGraphDataFrameFieldNames, standardTransformers, standardTransformersRegistry, ThemeContext, toDataFrame, transformDataFrame,
} from '@grafana/data';
import { toDataQueryResponse } from '@grafana/runtime';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom, Subject } from 'rxjs';
import { tellAnswers } from '../src/answers.ts';
import { keepFocus } from '../src/focus.ts';
import 'uplot/dist/uPlot.min.css';

const e = React.createElement;
const COLUMNS = 24, ROW = 30, GAP = 8, MARGIN = 16;

standardTransformersRegistry.setInit(() => ['filterByValueTransformer', 'organizeFieldsTransformer'].map((name) => ({
  ...standardTransformers[name], transformation: () => Promise.resolve(standardTransformers[name]), editor: null,
})));

/** Options of fields that a dashboard sets; Grafana keeps this list in the application, each panel adds its own as custom. */
const options = (custom) => new FieldConfigOptionsRegistry(() => {
  const item = (id, isCustom, process = identityOverrideProcessor) => ({
    id: isCustom ? 'custom.' + id : id, path: id, name: id, isCustom, process, shouldApply: () => true, settings: {},
    override: null, editor: null,
  });
  const standard = ['unit', 'decimals', 'noValue', 'color', 'mappings', 'thresholds', 'links', 'actions', 'min', 'max'];
  return [...standard.map((id) => item(id, false)), item('displayName', false, displayNameOverrideProcessor),
    ...custom.map((id) => item(id, true))];
});
const customOf = ({ defaults = {}, overrides = [] }) => [...new Set([
  ...Object.keys(defaults.custom ?? {}),
  ...overrides.flatMap((o) => o.properties).filter((p) => p.id.startsWith('custom.')).map((p) => p.id.slice('custom.'.length)),
])];

const ENCODED = { percentencode: encodeURIComponent, queryparam: (v, name) => `var-${name}=${encodeURIComponent(v)}` };

/** Replaces variables as Grafana does, as far as the dashboards use them. */
const replacer = ({ values, from, to }) => (text = '', scoped = {}) =>
  text.replace(/\$\{([^}:]+)(?::(\w+))?\}/g, (whole, name, format) => {
    const row = scoped.__dataContext?.value;
    if (name === '__url_time_range') {
      return `from=${from}&to=${to}`;
    }
    const field = /^__data\.fields\.(.+)$/.exec(name)?.[1];
    const found = field && row?.frame.fields.find((f) => f.name === field);
    const value = found ? String(found.values[row.rowIndex] ?? '') : values[name];
    return value === undefined ? whole : (ENCODED[format] ?? String)(value, name);
  });

async function framesOf(panel, asked, page) {
  const { answers } = asked;
  const replace = replacer(page);
  const got = answers.map((a, i) => {
    const refId = panel.targets[i].refId;
    const results = { [refId]: { ...a, refId, frames: (a.frames ?? []).map((f) => ({ ...f, schema: { ...f.schema, refId } })) } };
    return toDataQueryResponse({ data: { results } }, panel.targets);
  });
  const error = got.map((g) => g.error ?? g.errors?.[0]).find(Boolean);
  const transformations = JSON.parse(JSON.stringify(panel.transformations ?? []), (_, v) => (typeof v === 'string' ? replace(v) : v));
  const frames = await lastValueFrom(transformDataFrame(transformations, got.flatMap((g) => g.data.map((f) => toDataFrame(f)))));
  if (error) {
    window.said.push(`${panel.title}: ${error.message ?? error.data?.message}`);
  }
  const drawn = applyFieldOverrides({
    data: frames, fieldConfig: panel.fieldConfig, replaceVariables: replace, theme: page.theme, timeZone: 'utc',
    fieldConfigRegistry: options(customOf(panel.fieldConfig)),
  });
  cacheFieldDisplayNames(drawn);
  checkNames(panel, drawn);
  return {
    error: error && (error.message ?? error.data?.message ?? 'error'),
    frames: drawn,
  };
}

const Sentence = ({ text, page }) => e('div', {
  'data-testid': 'data-testid Panel data error message',
  style: {
    height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', textAlign: 'center', fontSize: 18,
    color: page.theme.colors.text.secondary,
  },
}, text);

const nothingIn = (frames) => frames.every((f) => f.length === 0);
/** Grafana hides the buttons from who may not edit the dashboard: a Viewer. */
const contextOf = (role) => ({ eventsScope: 'global', eventBus: new EventBusSrv(), canExecuteActions: () => role !== 'Viewer' });

/** What Grafana's service for requests tells its query inspector, and the module. */
const inspected = new Subject();
tellAnswers({ getInspectorStream: () => inspected }, (done, text) => say(done ? 'success' : 'error', text), keepFocus(document));

/** Shows a message, as Grafana does in a corner of the page. */
function say(kind, text, id = 'said') {
  const at = document.getElementById(id) ?? document.body.appendChild(document.createElement('div'));
  at.id = id;
  at.setAttribute('role', kind === 'error' ? 'alert' : 'status');
  at.textContent = text;
}

/**
 * Sends an action as Grafana does: the values of the row and what was typed stand in the address, encoded, with its header. Of the answer
 * Grafana says only whether it was a success.
 */
async function send(action, fill) {
  const { url, method, queryParams = [], headers = [], body } = action.fetch;
  const address = new URL(fill(url), window.location.href);
  for (const [name, value] of queryParams) {
    address.searchParams.append(name, fill(value));
  }
  const config = { url: String(address), method, headers: { ...Object.fromEntries(headers), 'X-Grafana-Action': '1' } };
  const answer = await fetch(address, { ...config, body });
  inspected.next({ response: { config, ok: answer.ok || undefined, status: answer.status, data: await answer.json() } });
  say(answer.ok ? 'success' : 'error', answer.ok ? 'API call was successful' : 'An error has occurred.', 'grafana-said');
}

const actionsOf = (page) => (frame, field, rowIndex) => (field.config.actions ?? []).map((a) => {
  const fill = (text, typed) => replacer(page)(text.replace(/\$(\w+)/g, (whole, key) => typed[key] ?? whole),
    { __dataContext: { value: { frame, rowIndex } } });
  return {
    title: a.title, style: {}, type: a.type, variables: a.variables, confirmation: (typed = {}) => fill(a.confirmation, typed),
    onClick: (_event, _origin, typed = {}) => send(a, (text) => fill(text, typed)).catch((fault) => say('error', String(fault))),
  };
});

const DRAW = {
  table: ({ panel, frames, width, height, page }) => {
    const frame = frames[panel.options.frameIndex || 0] ?? frames[0];
    return frames.some((f) => f.fields.length > 0)
      ? e(TableNG, {
        data: frame, width, height: height - (frames.length > 1 ? 40 : 0), cellHeight: panel.options.cellHeight,
        getActions: actionsOf(page), disableKeyboardEvents: panel.options.disableKeyboardEvents,
        fieldConfig: panel.fieldConfig, noValue: panel.fieldConfig.defaults.noValue, structureRev: 1, enableVirtualization: false,
      })
      : e(Sentence, { text: panel.fieldConfig.defaults.noValue, page });
  },
  stat: ({ panel, frames, width, height, page }) => e(VizRepeater, {
    getValues: () => getFieldDisplayValues({
      fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: replacer(page), theme: page.theme,
      data: frames, timeZone: 'utc', sparkline: false,
    }),
    getAlignmentFactors: getDisplayValueAlignmentFactors, width, height, source: frames, renderCounter: 1, autoGrid: true,
    orientation: panel.options.orientation, itemSpacing: 3,
    renderValue: ({ value, width, height, count, alignmentFactors }) => e(BigValue, {
      value: value.display, width, height, count, alignmentFactors, theme: page.theme, colorMode: panel.options.colorMode,
      graphMode: panel.options.graphMode, justifyMode: panel.options.justifyMode, textMode: panel.options.textMode,
      text: panel.options.text,
    }),
  }),
  timeseries: ({ panel, frames, width, height, page }) => (nothingIn(frames)
    ? e(Sentence, { text: panel.fieldConfig.defaults.noValue, page })
    : e(TimeSeries, {
      frames: frames.filter((f) => f.length > 0 && f.fields[0].type === 'time'), width, height, timeZone: 'utc',
      legend: panel.options.legend, structureRev: 1, options: {},
      timeRange: { from: dateTime(page.from), to: dateTime(page.to), raw: { from: dateTime(page.from), to: dateTime(page.to) } },
    })),
};

/** Fields of a node graph that Grafana does not read; those of arcs and details have names of their own. */
const unread = (frames) => frames.flatMap((f) => f.fields.map((x) => x.name))
  .filter((name) => !/^(arc__|detail__)/.test(name) && !Object.values(NodeGraphDataFrameFieldNames).includes(name.toLowerCase()));

/** What is wrong with frames of which Grafana's own names are known. */
function checkNames(panel, frames) {
  if (panel.type === 'nodeGraph' && unread(frames).length) {
    window.said.push(`${panel.title}: a node graph does not read ${unread(frames)}`);
  }
  for (const f of frames.filter((f) => f.name === 'distribution' && f.length)) {
    if (!getHistogramFields(f)) {
      window.said.push(`${panel.title}: Grafana's histogram does not know the bins`);
    }
  }
}

const NOT_HERE = { nodeGraph: 'nodes and edges', traces: 'spans', logs: 'lines' };

function Panel({ panel, asked, page, size }) {
  const [answer, setAnswer] = React.useState();
  React.useEffect(() => {
    framesOf(panel, asked, page).then(setAnswer, (fault) => {
      window.said.push(`${panel.title}: ${fault.stack}`);
      setAnswer({ frames: [], error: String(fault) });
    });
  }, [panel, asked, page]);
  const draw = (width, height) => {
    if (!answer) {
      return e('div', { 'data-testid': 'panel-loading' });
    }
    const what = NOT_HERE[panel.type];
    if (what && !nothingIn(answer.frames)) {
      const n = answer.frames.reduce((sum, f) => sum + f.length, 0);
      return e(Sentence, { text: `${n} ${what}: drawn by a Grafana alone`, page });
    }
    return what
      ? e(Sentence, { text: panel.fieldConfig.defaults.noValue, page })
      : e(DRAW[panel.type], { panel, frames: answer.frames, width, height, page });
  };
  return e(PanelChrome, { title: panel.title, description: panel.description, statusMessage: answer?.error, ...size, children: draw });
}

let root;
/** Draws a dashboard (its JSON) with the answers to its panels, and resolves when it stands. */
window.draw = (board, { answers, values, from, to }, mode, role = 'Editor') => {
  const theme = createTheme({ colors: { mode } });
  const page = { values, from, to, theme };
  const width = window.innerWidth - 2 * MARGIN;
  const unit = (width + GAP) / COLUMNS;
  const bottom = Math.max(...board.panels.map((p) => p.gridPos.y + p.gridPos.h));
  const panels = board.panels.map((panel, i) => {
    const { x, y, w, h } = panel.gridPos;
    const size = { width: Math.floor(w * unit - GAP), height: h * (ROW + GAP) - GAP };
    const style = { position: 'absolute', left: MARGIN + x * unit, top: 56 + y * (ROW + GAP), width: size.width, height: size.height };
    return e('div', { key: panel.id, style }, e(Panel, { panel, asked: answers[i], page, size }));
  });
  const own = board.templating.list.map((v) => v.name).filter((name) => !['ds', 'every'].includes(name));
  const chosen = own.filter((name) => values[name]).map((name) => `${name}: ${values[name]}`);
  const head = e('div', { key: 'head', style: { position: 'absolute', left: MARGIN, top: 16, fontSize: 18 } },
    board.title, e('span', { style: { fontSize: 12, marginLeft: 16, color: theme.colors.text.secondary } }, chosen.join(' · ')));
  Object.assign(document.body.style, {
    margin: 0, background: theme.colors.background.canvas, color: theme.colors.text.primary, height: 64 + bottom * (ROW + GAP) + 'px',
  });
  window.said = [];
  document.getElementById('said')?.remove();
  root?.unmount();
  root = createRoot(document.getElementById('root'));
  const held = e(PanelContextProvider, { value: contextOf(role) }, e(GlobalStyles), head, panels);
  root.render(e(ThemeContext.Provider, { value: theme }, held));
};
