// The way in for JavaScript and TypeScript in a process of its own: `node node_launcher.cjs CACHE SCRIPT`.
//
// CACHE is a directory for what Node compiles, or empty. See node_script.cjs.

'use strict';

const { begin, settleIn } = require('./node_script.cjs');

const [, , cache, script] = process.argv;
const opened = settleIn(cache);
// As in a host, from the event loop: so what a script sees of how it was called is the same, too.
setImmediate(() => begin(script, opened));
