import { addrProblem, controlProblem, type Settings, withOption, withoutSecret, withRole, withSecret } from './settings';

const settings = (s: Partial<Settings> = {}) =>
  ({ jsonData: { addr: 'a:1', user: 'u' }, secureJsonFields: { password: true }, ...s }) as Settings;

test('an address with a scheme is taken', () => {
  for (const good of ['', '127.0.0.1:8123', 'ch.example:8443', '[::1]:8123', '$CH_ADDR']) {
    expect(addrProblem(good)).toBeUndefined();
  }
  expect(addrProblem('https://ch:8443')).toContain('scheme');
  for (const bad of ['ch', 'ch:0', 'ch:65536', 'ch:http', '::1:8123', 'u:p@ch:8123', 'ch:8123/db']) {
    expect(addrProblem(bad)).toContain('host:port');
  }
});

test('a control address that no request can be sent to is taken', () => {
  for (const good of ['', 'http://127.0.0.1:9090', 'https://flyball.example/base', '$CONTROL_URL']) {
    expect(controlProblem(good)).toBeUndefined();
  }
  for (const bad of ['flyball:8080', 'ftp://x', 'javascript:alert(1)', 'https://']) {
    expect(controlProblem(bad)).toContain(bad);
  }
  expect(controlProblem('https://root:hunter2@x')).not.toContain('hunter2');
});

test('a changed option drops the others', () => {
  expect(withOption(settings(), 'addr', 'b:2').jsonData).toEqual({ addr: 'b:2', user: 'u' });
  const admin = withRole(settings(), 'Admin', 'bypass');
  expect(withRole(admin, 'Viewer', 'none').jsonData.roles).toEqual({ Admin: 'bypass', Viewer: 'none' });
});

test('a second secret drops the first', () => {
  const both = withSecret(withSecret(settings(), 'password', 'p'), 'controlToken', 't');
  expect(both.secureJsonData).toEqual({ password: 'p', controlToken: 't' });
});

test('a reset keeps the saved secret', () => {
  const reset = withoutSecret(settings({ secureJsonFields: { password: true, controlToken: true } }), 'password');
  expect(reset.secureJsonFields).toEqual({ password: false, controlToken: true });
  expect(reset.secureJsonData).toEqual({ password: '' });
});
