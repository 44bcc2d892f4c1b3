// What is wrong with the panels of a Grafana page. The functions run inside the page: they use nothing from outside.

/** Panels that are still loading. */
export const stillLoading = () =>
  document.querySelectorAll('[aria-label="Panel loading bar"], [data-testid*="Panel loading bar"], [data-testid*="panel-loading"]').length;

/** Height of all that can be scrolled to, in pixels. */
export const wholeHeight = () =>
  Math.max(...[...document.querySelectorAll('html, body, body *')]
    .filter((e) => e === document.documentElement || /auto|scroll/.test(getComputedStyle(e).overflowY))
    .filter((e) => !e.closest('[data-testid^="data-testid Panel header"]'))
    .map((e) => e.scrollHeight + Math.max(0, e.getBoundingClientRect().top)));

/** Each panel with its faults as sentences, and the faults of the page beside them. */
export function inspect() {
  const PANEL = '[data-testid^="data-testid Panel header"]';
  const panels = [...document.querySelectorAll(PANEL)];
  const titleOf = (p) => p.getAttribute('data-testid').replace('data-testid Panel header ', '');

  const errors = (p) => {
    const badge = p.querySelector('[data-testid*="Panel status error"], [aria-label*="Panel status"]');
    const text = /An unexpected error[^\n]*/.exec(p.innerText)?.[0];
    return [badge && 'shows an error', text && `says "${text}"`].filter(Boolean);
  };
  const headersOf = (grid) => [...grid.querySelectorAll('[role=columnheader]')];
  /** What the panel says beside its title and the heads of its columns. */
  const saysBeside = (p, grid) => [titleOf(p), ...(grid ? headersOf(grid).map((h) => h.innerText.trim()) : [])]
    .filter(Boolean).reduce((text, known) => text.replace(known, ''), p.innerText).trim();
  const emptiness = (p) => {
    const grid = p.querySelector('[role=grid], [role=table], [role=treegrid]');
    if (grid && !grid.querySelector('[role=gridcell], [role=cell]') && !saysBeside(p, grid)) {
      return ['is an empty table without a sentence'];
    }
    return /^No data\.?$/.test(saysBeside(p, grid)) ? ['has no data and no sentence of its own'] : [];
  };
  const isCut = (e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible';
  /** Whether the text of a cell is wider than the cell, also to the left, where nothing can be scrolled. */
  const overflows = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
    return text.left < box.left - 1 || text.right > box.right + 1;
  };
  const cut = (p) => [...p.querySelectorAll('[role=grid], [role=table], [role=treegrid]')].flatMap((grid) => {
    const scroller = [grid, ...grid.querySelectorAll('*')].find((e) => /auto|scroll/.test(getComputedStyle(e).overflowX) && isCut(e));
    const edge = Math.min(p.getBoundingClientRect().right, window.innerWidth);
    const beyond = headersOf(grid).filter((h) => h.getBoundingClientRect().right > edge + 1).map((h) => h.innerText.trim());
    const short = headersOf(grid).filter((h) => [h, ...h.querySelectorAll('*')].some(isCut) || overflows(h)).map((h) => h.innerText.trim());
    const faults = [];
    if (scroller || beyond.length) {
      const width = scroller ? ` (${scroller.scrollWidth} px in ${scroller.clientWidth})` : '';
      faults.push(`has columns cut at ${window.innerWidth} px${width}: ${beyond.join(', ') || 'not drawn'}`);
    }
    return short.length ? [...faults, `has heads of columns cut: ${short.join(', ')}`] : faults;
  });

  const outside = document.body.cloneNode(true);
  outside.querySelectorAll(`${PANEL}, script, style`).forEach((e) => e.remove());
  const ofPage = /An unexpected error[^\n]{0,80}/.exec(outside.textContent)?.[0];
  return {
    panels: panels.map((p) => ({ title: titleOf(p), faults: [...errors(p), ...emptiness(p), ...cut(p)] })),
    page: ofPage ? [`the page says "${ofPage}"`] : [],
  };
}

/** Cells whose text is cut, or, if asked for, stands in the row above or below. */
export function cutCells(above) {
  const cut = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
    const beside = text.left < box.left - 1 || text.right > box.right + 1;
    return beside || above && (text.top < box.top - 1 || text.bottom > box.bottom + 1);
  };
  return [...document.querySelectorAll('[role=gridcell]')].filter(cut).map((cell) => {
    const panel = cell.closest('[data-testid^="data-testid Panel header"]').getAttribute('data-testid');
    return `${panel.replace('data-testid Panel header ', '')} cuts "${cell.innerText.trim()}"`;
  });
}
