// Has Node parse JavaScript and TypeScript files, by the ways in which node_launcher.cjs takes them, without
// running anything of them: `node node_check.cjs <list >answers`.
//
// The list has a flag, a tab and a path on each line; each gets one line of JSON in return, in the same order and
// at once (schedd.runner.checkers has the words). The flag `transform` stands for --experimental-transform-types.
//
// When something else than a syntax error turns up, this process ends itself: a parser that has run out of its
// stack or its memory may not be right about the next file.

'use strict';

const fs = require('node:fs');
const nodeModule = require('node:module');
const os = require('node:os');
const process = require('node:process');
const vm = require('node:vm');

const ways = require('./node_source.cjs');

const TEXT_CHARS = 300;
const decorate = placeTeller();

os.setPriority(10);
for (const line of fs.readFileSync(0, 'utf8').split('\n')) {
  const tab = line.indexOf('\t');
  if (tab < 0) continue;
  const answer = verdict(line.slice(tab + 1), line.slice(0, tab) === 'transform');
  fs.writeSync(1, `${JSON.stringify(answer)}\n`);
  if (answer[0] === 'unknown') process.exit(0);
}

/** [word, line, column, text] for one file. */
function verdict(script, transforms) {
  try {
    take(script, ways.read(script), ways.declaredFormat(script), transforms);
    return ['fine', null, null, ''];
  } catch (error) {
    if (!(error instanceof SyntaxError)) return ['unknown', null, null, firstLine(error)];
    decorate(error);
    const [line, column] = placeOf(error);
    return ['wrong', line, column, firstLine(error)];
  }
}

/** Throw what is wrong about a source, if it is wrong by each of the ways that it could be taken. */
function take(script, source, format, transforms) {
  const notBody = format === 'module' ? null : thrown(() => ways.asBody(script, source));
  if (format !== 'module' && notBody === null) return;
  const plain = transforms && ways.isTypeScript(script)
    ? () => nodeModule.stripTypeScriptTypes(source, { mode: 'transform' })
    : () => ways.withoutTypes(script, source);
  const notCommon = format === 'module' ? null : thrown(() => ways.compiled(script, plain()));
  if (format === 'commonjs') {
    if (notCommon !== null) throw theBetter(notCommon, notBody);
    return;
  }
  let returning = null;
  const notReturning = thrown(() => {
    returning = ways.asReturningModule(script, source);
    if (returning !== null) asModule(script, returning);
  });
  if (returning !== null && notReturning === null) return;
  const notModule = thrown(() => asModule(script, plain()));
  if (notModule === null) return;
  if (transforms) throw notModule;
  if (/return/i.test(notModule.message) && notReturning !== null) throw notReturning;
  throw notBody !== null && !/^[ \t]*(?:import\b(?!\s*[.(])|export\b)/m.test(source) ? theBetter(notCommon, notBody) : notModule;
}

/** The error of the plain source, unless it only says what the other way would have allowed. */
function theBetter(plain, wrapped) {
  return plain === null || /\b(?:await|return|import|export)\b/i.test(plain.message) ? wrapped : plain;
}

function asModule(script, source) {
  new vm.SourceTextModule(source, { identifier: script });
}

/** What an attempt throws, or null. Only a syntax error means that another way may fit. */
function thrown(attempt) {
  try {
    attempt();
    return null;
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}

/** What makes an error show its place, as Node does before it prints one; it has no public name. */
function placeTeller() {
  try {
    return require('internal/util').decorateErrorStack;
  } catch {
    return () => {};
  }
}

/** Line and column of a syntax error, from what Node puts before its stack: the place, the source, carets. */
function placeOf(error) {
  const [place, ...shown] = String(error.stack).split('\n', 8);
  const line = /^[^\n]*:(\d+)$/.exec(place);
  if (line === null) return [null, null];
  const carets = shown.find((each) => /^\s*\^+\s*$/.test(each));
  const column = carets === undefined ? 0 : carets.indexOf('^') + 1;
  // The parser of types knows nothing of the offset in the first line.
  const shift = line[1] === '1' && error.code !== undefined ? ways.OPEN.length : 0;
  return [Number(line[1]), column > shift ? column - shift : null];
}

function firstLine(error) {
  return `${error?.name}: ${error?.message}`.split('\n')[0].slice(0, TEXT_CHARS);
}
