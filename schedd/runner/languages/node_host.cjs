// A Node.js that waits for a script: `node node_host.cjs CACHE PADDING`. All that can be done before the script is
// known is done, so that the script's first line runs some milliseconds after it was asked for.
//
// Orders come in by a pipe that is this process's standard input when it starts, one line of JSON each; answers
// go out by one that is its standard error:
//
//     ready CPU_US                      an order will be carried out
//     started                           from here on this process is the script's
//     declined WHY                      this host cannot; it ends, and another has to
//     over CPU_US                       the run is over, and the host waits for the next (`@mode warm` only)
//
// It waits in read(2), outside of the event loop: while there is nothing to do, nothing is done. When the daemon
// dies, the pipe ends, and so does a host that waits. One that runs a script looks in /proc like any other run:
// that is how the next daemon finds it.
//
// Rejected: a socket (Node could not keep it apart from what the script's children inherit), workers (29 ms and no
// process.chdir()), a V8 snapshot of the waiting state (it may not hold a module that was required).

'use strict';

const fs = require('node:fs');
const process = require('node:process');

const { begin, settleIn } = require('./node_script.cjs');
const ways = require('./node_source.cjs');

const RUN_ID = 'SCHEDD_RUN_ID=';
const orders = Buffer.alloc(64 * 1024);

const cache = settleIn(process.argv[2]);
const [asked, told] = ownPipes();
const memory = ownMemory();
process.execArgv.length = 0;
void process.stdout;
ways.compiled(__filename, '');
// So that Node's loader of modules is there.
import('data:text/javascript,').then(() => {
  tell(`ready ${cpuUs()}`);
  const order = nextOrder();
  if (!become(order)) return;
  if (order.reused) {
    require('./node_warm.cjs').serve(order, { cache, nextOrder, become, tell, cpuUs });
    return;
  }
  for (const fd of [asked, told, memory.fd]) fs.closeSync(fd);
  setImmediate(() => begin(order.path, cache));
});

/** Move both pipes to where a script and its children do not meet them; be left with the descriptors that scripts have. */
function ownPipes() {
  const from = fs.openSync('/proc/self/fd/0', 'r');
  const to = fs.openSync('/proc/self/fd/2', fs.constants.O_WRONLY);
  fs.closeSync(0);
  fs.openSync('/dev/null', 'r');
  fs.closeSync(2);
  fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY);
  return [from, to];
}

/** Where /proc shows this process's arguments and its run's id. */
function ownMemory() {
  const stat = fs.readFileSync('/proc/self/stat', 'latin1');
  const [argumentsAt, argumentsEnd, variablesAt, variablesEnd] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(45, 49).map(Number);
  const variables = fs.readFileSync('/proc/self/environ');
  const idAt = variables.indexOf(RUN_ID) + RUN_ID.length;
  if (variables.length !== variablesEnd - variablesAt || idAt < RUN_ID.length) throw new Error('cannot find SCHEDD_RUN_ID in the own memory');
  return { fd: fs.openSync('/proc/self/mem', 'r+'), idAt: variablesAt + idAt, argumentsAt, argumentsBytes: argumentsEnd - argumentsAt };
}

/** Wait for an order. The end of the pipe is the end of the daemon, or of its interest. */
function nextOrder() {
  for (let size = 0; ;) {
    const read = fs.readSync(asked, orders, size, orders.length - size, null);
    if (read === 0) process.exit(0);
    size += read;
    if (orders[size - 1] === 10) return JSON.parse(orders.toString('utf8', 0, size - 1));
  }
}

/** Be the process that a new one would be, as far as the script can see; false when that cannot be. */
function become(order) {
  try {
    process.chdir(order.cwd);
    if (order.umask !== null) process.umask(order.umask);
    showInProc(order);
  } catch (error) {
    tell(`declined ${error.message.split('\n')[0]}`);
    process.exitCode = 0;
    return false;
  }
  const { env } = process;
  for (const name of Object.keys(env)) if (!Object.hasOwn(order.env, name)) delete env[name];
  for (const [name, value] of Object.entries(order.env)) if (env[name] !== value) env[name] = value;
  tell('started');
  return true;
}

/** What the kernel shows of a process is what it was started with, as long as the process leaves that alone. */
function showInProc({ env, path }) {
  const shown = Buffer.alloc(memory.argumentsBytes);
  shown.write(`${process.argv0}\0${path}`, 0, memory.argumentsBytes - 1);
  fs.writeSync(memory.fd, shown, 0, shown.length, memory.argumentsAt);
  fs.writeSync(memory.fd, env.SCHEDD_RUN_ID, memory.idAt);
}

function tell(words) {
  fs.writeSync(told, `${words}\n`);
}

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
