const MOMENT = 50; // ms
const MOMENTS = 60;

/**
 * Returns a function that gives the focus back to the button that was pressed last outside of a dialog. The dialog of Grafana (13.2.2) does
 * so only if it is cancelled: after Confirm the focus is on nothing, and who works without a mouse begins at the top of the page again. It
 * waits until no dialog is open and no key is held, which would press the button again. Who has moved the focus keeps it.
 */
export function keepFocus(page: Document): () => void {
  let opener: HTMLElement | undefined;
  const held = new Set<string>();
  const pressed = (event: MouseEvent) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>('button, [role=button]') : null;
    if (button && !button.closest('[role=dialog]')) {
      opener = button;
    }
  };
  page.addEventListener('click', pressed, true);
  page.addEventListener('keydown', (event) => held.add(event.code), true);
  page.addEventListener('keyup', (event) => held.delete(event.code), true);
  page.defaultView?.addEventListener('blur', () => held.clear());
  const back = (moments: number) => {
    if (held.size > 0 || page.querySelector('[role=dialog]')) {
      if (moments > 0) {
        setTimeout(back, MOMENT, moments - 1);
      }
    } else if (opener?.isConnected && (page.activeElement === page.body || !page.activeElement)) {
      opener.focus();
    }
  };
  return () => {
    setTimeout(back, MOMENT, MOMENTS);
  };
}
