// What schedd makes of a JavaScript or TypeScript file before Node takes it, without running anything of it.
//
// The source is tried as the body of a function, then of an async function, then, its leading imports taken
// out, as the body of an async function in a module. Wrapping comes before the removal of types, which refuses
// a top-level `return`, and never adds a line, so that errors name the right one. What fits none of these is a
// module (or has an error), and Node loads it in its own way.
//
// Whatever cannot be read that way is thrown, as Node's own error.

'use strict';

const fs = require('node:fs');
const nodeModule = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');

const OPEN = '(async()=>{';
const CLOSE = '\n})()';

/** The text of a script, its first line made a comment. */
function read(script) {
  return fs.readFileSync(script, 'utf8').replace(/^\uFEFF/, '').replace(/^#!/, '//');
}

/** `module` or `commonjs` where the name or the nearest package.json says so. */
function declaredFormat(script) {
  const suffix = path.extname(script);
  if (suffix === '.mjs' || suffix === '.mts') return 'module';
  if (suffix === '.cjs' || suffix === '.cts') return 'commonjs';
  const found = nodeModule.findPackageJSON(pathToFileURL(script).href);
  if (found === undefined) return undefined;
  try {
    return JSON.parse(fs.readFileSync(found, 'utf8')).type;
  } catch {
    return undefined; // Node names the broken package.json itself, if the script needs it
  }
}

/** The source without its types, as the body of an async function. */
function asBody(script, source) {
  const wrapped = withoutTypes(script, `${OPEN}${source}${CLOSE}`);
  // Only a module may say import.meta; whether it is one is not the question here.
  new vm.Script(wrapped.replace(/\bimport\.meta\b/g, 'import_meta'), { filename: script, columnOffset: -OPEN.length });
  return wrapped.slice(OPEN.length, wrapped.length - CLOSE.length);
}

/** The body as that of a function in CommonJS. */
function compiled(script, body) {
  return vm.compileFunction(body, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: script,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

/** The source as a module whose default export is what its top level returns, or null if it has no return. */
function asReturningModule(script, source) {
  if (!/\breturn\b/.test(source)) return null;
  const { imports, rest } = withoutImports(source);
  asBody(script, rest);
  return withoutTypes(script, `${imports}export default await ${OPEN}${rest}${CLOSE}`);
}

function isTypeScript(script) {
  return /\.[mc]?ts$/.test(script);
}

function withoutTypes(script, source) {
  return isTypeScript(script) ? nodeModule.stripTypeScriptTypes(source) : source;
}

/** Take the static imports from the top of a module: as one line, and the source with blanks in their place. */
function withoutImports(source) {
  const space = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/|;)*/y;
  const directive = /(?:'[^'\n]*'|"[^"\n]*")[ \t]*(?:;|(?=\r?\n))/y;
  const name = '(?:[^\'"`;(){}=]|\\{[^{}]*\\})*?';
  const statement = new RegExp(`import\\b(?!\\s*[.(])(?:${name}\\bfrom\\b)?\\s*(?:'[^'\\n]*'|"[^"\\n]*")(?:\\s*with\\s*\\{[^{}]*\\})?[ \\t]*;?`, 'y');
  const comments = /\/\/[^\n]*|\/\*[^]*?\*\//g;
  const imports = [];
  let rest = source;
  for (let at = 0; ;) {
    space.lastIndex = at;
    space.exec(source);
    directive.lastIndex = statement.lastIndex = space.lastIndex;
    if (directive.exec(source)) {
      at = directive.lastIndex;
      continue;
    }
    statement.lastIndex = space.lastIndex;
    const found = statement.exec(source);
    if (!found) return { imports: imports.join(''), rest };
    at = statement.lastIndex;
    imports.push(`${found[0].replace(comments, ' ').replace(/\s+/g, ' ').replace(/;?\s*$/, '')};`);
    rest = rest.slice(0, found.index) + found[0].replace(/[^\n]/g, ' ') + rest.slice(at);
  }
}

module.exports = { OPEN, CLOSE, read, declaredFormat, asBody, compiled, asReturningModule, isTypeScript, withoutTypes };
