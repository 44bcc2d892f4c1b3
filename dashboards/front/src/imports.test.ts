import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** The files that a file imports, also those of which it takes types alone. */
function importsOf(file: string): string[] {
  const found = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']*)'/gms)];
  return found.map((m) => join(dirname(file), m[1])).map((path) => files.find((f) => f.replace(/\.tsx?$/, '') === path) ?? path);
}

const files = readdirSync(__dirname, { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f)).map((f) => join(__dirname, f));

test('files import each other in a circle', () => {
  const known = new Map(files.map((f) => [f, importsOf(f)]));
  const circles: string[] = [];
  const done = new Set<string>();
  const follow = (file: string, path: string[]) => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].map((f) => relative(__dirname, f)).join(' → '));
    } else if (!done.has(file)) {
      known.get(file)?.forEach((next) => follow(next, [...path, file]));
      done.add(file);
    }
  };
  files.forEach((f) => follow(f, []));
  expect(circles).toEqual([]);
  expect([...known.values()].flat().filter((f) => f.endsWith('.ts') || f.endsWith('.tsx')).length).toBeGreaterThan(20);
});
