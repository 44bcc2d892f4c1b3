// Draws a dashboard with Grafana's own components: frame of a panel, table, numbers, charts. Node graph, trace and logs are in no
// package: their panels say so. Variables have the values with which the panels' queries were asked.
import {
  applyFieldOverrides, cacheFieldDisplayNames, createTheme, dateTime, displayNameOverrideProcessor, EventBusSrv,
  FieldConfigOptionsRegistry, getDisplayValueAlignmentFactors,
  getFieldDisplayValues, identityOverrideProcessor, standardTransformers, standardTransformersRegistry, ThemeContext, toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { toDataQueryResponse } from '@grafana/runtime';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
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
/** The person may act: Grafana hides buttons from others. */
const EDITOR = { eventsScope: 'global', eventBus: new EventBusSrv(), canExecuteActions: () => true };
const actionsOf = (page) => (frame, field, rowIndex) => (field.config.actions ?? []).map((a) => ({
  title: a.title, onClick: () => {}, style: {}, type: a.type, variables: a.variables,
  confirmation: (typed = {}) => replacer(page)(a.confirmation.replace(/\$(\w+)/g, (whole, key) => typed[key] ?? whole),
    { __dataContext: { value: { frame, rowIndex } } }),
}));

const DRAW = {
  table: ({ panel, frames, width, height, page }) => {
    const frame = frames[panel.options.frameIndex || 0] ?? frames[0];
    return frames.some((f) => f.fields.length > 0)
      ? e(TableNG, {
        data: frame, width, height: height - (frames.length > 1 ? 40 : 0), cellHeight: panel.options.cellHeight,
        getActions: actionsOf(page),
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
window.draw = (board, { answers, values, from, to }, mode) => {
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
  root?.unmount();
  root = createRoot(document.getElementById('root'));
  root.render(e(ThemeContext.Provider, { value: theme }, e(PanelContextProvider, { value: EDITOR }, e(GlobalStyles), head, panels)));
};
