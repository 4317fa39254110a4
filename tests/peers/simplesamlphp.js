// SimpleSAMLphp under PHP's own web server as an identity provider, with its defaults but for what each is told of the
// service, which it reads from our metadata with its own converter. A line of JSON on standard input asks something of it,
// a line on standard output answers: see tests/suite/peers/mod.rs.
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');

const place = process.env.SIMPLESAMLPHP;
const settings = JSON.parse(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'simplesamlphp.'));
const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
// What is changed is read at the next request.
const asPhp = (variable, name) =>
  `<?php\nerror_reporting(0);\n$${variable} = json_decode(file_get_contents('${folder}/${name}.json'), true);\n`;

let base;
let keys = ['0'];
let service = null;
// Where people are signed in there: cookies of a browser each, the last one last.
const browsers = [];

function configure() {
  for (const name of ['cert', 'log', 'data', 'tmp', 'sessions', 'metadata']) fs.mkdirSync(path.join(folder, name));
  settings.keys.forEach((key, number) => {
    write(`cert/${number}.pem`, key.private);
    write(`cert/${number}.crt`, key.certificate);
  });
  const at = (name) => `${path.join(folder, name)}/`;
  write('config.json', JSON.stringify({
    baseurlpath: `${base}/`,
    certdir: at('cert'),
    loggingdir: at('log'),
    datadir: at('data'),
    tempdir: at('tmp'),
    metadatadir: at('metadata'),
    'metadata.sources': [{ type: 'flatfile', directory: at('metadata') }],
    secretsalt: 'the salt of one test',
    'auth.adminpassword': 'nobody is to know it',
    technicalcontact_email: 'nobody@example.org',
    timezone: 'UTC',
    'logging.handler': 'file',
    'logging.logfile': 'simplesamlphp.log',
    'enable.saml20-idp': true,
    'module.enable': { exampleauth: true, core: true, saml: true },
    'session.phpsession.savepath': at('sessions'),
    'session.cookie.secure': false,
    'store.type': 'phpsession',
  }));
  write('config.php', asPhp('config', 'config'));
  write('authsources.php', asPhp('config', 'people'));
  write('metadata/saml20-idp-hosted.php', asPhp('metadata', 'hosted'));
  write('metadata/saml20-sp-remote.php', asPhp('metadata', 'service'));
  tells();
}

function tells() {
  const [first, next] = keys;
  const hosted = { host: '__DEFAULT__', auth: 'house', privatekey: `${first}.pem`, certificate: `${first}.crt` };
  if (next) Object.assign(hosted, { new_privatekey: `${next}.pem`, new_certificate: `${next}.crt` });
  // Its default signs no logout, which nobody takes.
  hosted['sign.logout'] = true;
  write('hosted.json', JSON.stringify({ [`${base}/saml2/idp/metadata.php`]: hosted }));
  write('service.json', JSON.stringify(service || {}));
}

const converter = `
  error_reporting(0);
  require $argv[1] . '/lib/_autoload.php';
  $found = [];
  foreach (\\SimpleSAML\\Metadata\\SAMLParser::parseDescriptorsString(stream_get_contents(STDIN)) as $id => $entity) {
    $service = $entity->getMetadata20SP();
    unset($service['entityDescriptor']);
    $found[$id] = $service;
  }
  echo json_encode($found);
`;

function learn(told) {
  const environment = { ...process.env, SIMPLESAMLPHP_CONFIG_DIR: folder };
  const read = execFileSync('php', ['-r', converter, place], { input: told.metadata, env: environment });
  service = JSON.parse(read);
  const [entity] = Object.values(service);
  if (told.encrypts) entity['assertion.encryption'] = true;
  tells();
  return { converted: entity };
}

const unescaped = (text) =>
  text
    .replace(/&#x([0-9a-f]+);/gi, (_, code) => String.fromCharCode(parseInt(code, 16)))
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');

// A browser's way through its pages, up to a form or a redirect that leads elsewhere.
async function browse(cookies, start) {
  let address = start;
  for (let hops = 0; hops < 10; hops += 1) {
    if (address.startsWith(`${base}/done`)) return { address };
    const held = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(address, { redirect: 'manual', headers: { cookie: held, connection: 'close' } });
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const body = await answer.text();
    const location = answer.headers.get('location');
    if (!location) return { address, status: answer.status, body };
    address = new URL(location, address).href;
    if (!address.startsWith(base)) return { location: address };
  }
  throw new Error(`too many redirects, the last to ${address}`);
}

function formIn(body) {
  const action = body.match(/<form[^>]*action="([^"]*)"/);
  const fields = {};
  for (const [tag] of body.matchAll(/<input[^>]*>/g)) {
    const name = tag.match(/name="([^"]*)"/);
    const value = tag.match(/value="([^"]*)"/);
    if (name && /^(SAML\w+|RelayState)$/.test(name[1])) fields[name[1]] = unescaped(value ? value[1] : '');
  }
  if (!action || !fields.SAMLResponse) throw new Error(body.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ').slice(0, 600));
  return { action: unescaped(action[1]), fields };
}

async function signIn({ query, person, relayState }) {
  write('people.json', JSON.stringify({
    house: {
      0: 'exampleauth:StaticSource',
      uid: [person.subject],
      displayName: [person.name],
      mail: [person.email],
      ...(person.groups.length ? { groups: person.groups } : {}),
    },
    admin: { 0: 'core:AdminPassword' },
  }));
  const cookies = new Map();
  browsers.push(cookies);
  const initiated = new URLSearchParams({ spentityid: Object.keys(service)[0], RelayState: relayState || '' });
  const { body } = await browse(cookies, `${base}/saml2/idp/SSOService.php?${query || initiated}`);
  return formIn(body);
}

async function logout({ query }) {
  const cookies = browsers[browsers.length - 1];
  const begins = new URLSearchParams({ ReturnTo: `${base}/done` });
  const led = await browse(cookies, `${base}/saml2/idp/SingleLogoutService.php?${query || begins}`);
  const { location, address, body } = led;
  // Back from us it leads to where it was told to.
  if (!location && address.startsWith(`${base}/done`)) return { status: 200 };
  if (!location) throw new Error(body.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ').slice(0, 600));
  return { location };
}

const answers = {
  metadata: async () => ({
    metadata: (await browse(new Map(), `${base}/saml2/idp/metadata.php`)).body,
    base,
  }),
  learn: async (told) => learn(told),
  signIn,
  logout,
  switchKeys: async () => {
    keys = ['1'];
    tells();
    return {};
  },
};

async function start() {
  const port = await new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
  base = `http://127.0.0.1:${port}`;
  write('people.json', '{}');
  configure();
  // It ends with this program, however that ends.
  const command = `php -d opcache.enable=0 -S 127.0.0.1:${port} -t '${place}/www' >/dev/null 2>'${folder}/php.log' & cat >/dev/null; kill $!; rm -rf '${folder}'`;
  spawn('sh', ['-c', command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, SIMPLESAMLPHP_CONFIG_DIR: folder },
  });
  for (let tries = 0; tries < 200; tries += 1) {
    const reached = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => {
        socket.end();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (reached) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('php did not start');
}

const started = start();
let turn = started;
createInterface({ input: process.stdin }).on('line', (line) => {
  turn = turn.then(async () => {
    let answer;
    try {
      const { ask, ...rest } = JSON.parse(line);
      answer = await answers[ask](rest);
    } catch (error) {
      answer = { error: String(error && error.stack ? error.stack : error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
}).on('close', () => process.exit());
