// What a terminal would have made of a line: pieces of text with the colours that SGR sequences ask for.
//
// Output is text, never markup: a piece carries plain class names out of a closed list, and every other escape
// sequence (cursor moves, titles, links) is dropped. A carriage return starts the line anew, as progress bars
// mean it. Pure: no DOM.

const ESCAPE = /\u001b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|[PX^_][^\u001b]*(?:\u001b\\|$)|[ -/]*[0-~])|\u009b([0-9;]*)([@-~])/g;
// What has no width and no business in a page: controls, and what turns the direction of text around.
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The style that a line begins with when the one before it left none. */
export const PLAIN = Object.freeze({ colour: null, bold: false, dim: false, italic: false, under: false });

/**
 * Split a line into pieces. `style` is how the line before ended.
 * Returns {pieces: [{text, classes}], style}.
 */
export function pieces(line, style = PLAIN) {
  const parts = [];
  let now = style;
  const put = (raw) => {
    const text = raw.replace(INVISIBLE, "");
    if (text) parts.push({ text, classes: classesOf(now) });
  };
  if (!/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(line)) {
    return { pieces: line ? [{ text: line, classes: classesOf(now) }] : [], style: now };
  }
  const kept = overwritten(line);
  let from = 0;
  for (const match of kept.matchAll(ESCAPE)) {
    put(kept.slice(from, match.index));
    from = match.index + match[0].length;
    if ((match[2] ?? match[4]) === "m") now = restyled(now, match[1] ?? match[3]);
  }
  put(kept.slice(from));
  return { pieces: parts, style: now };
}

/** The text of a line without any escape sequence. */
export function plain(line) {
  return pieces(line).pieces.map((piece) => piece.text).join("");
}

// "10 %\r20 %\r" shows "20 %": what stands behind the last return that something follows.
function overwritten(line) {
  const shown = line.replace(/\r+$/, "");
  return shown.slice(shown.lastIndexOf("\r") + 1);
}

function restyled(style, codes) {
  const now = { ...style };
  const numbers = (codes || "0").split(/[;:]/).map(Number);
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index];
    if (code === 0) Object.assign(now, PLAIN);
    else if (code === 1) now.bold = true;
    else if (code === 2) now.dim = true;
    else if (code === 3) now.italic = true;
    else if (code === 4) now.under = true;
    else if (code === 22) now.bold = now.dim = false;
    else if (code === 23) now.italic = false;
    else if (code === 24) now.under = false;
    else if (code === 39) now.colour = null;
    else if (code >= 30 && code <= 37) now.colour = code - 30;
    else if (code >= 90 && code <= 97) now.colour = code - 90;
    else if (code === 38 || code === 48) {
      // A colour out of 256, or any: shown as one of the eight when it is one of them, else as none.
      if (numbers[index + 1] === 5) {
        if (code === 38) now.colour = numbers[index + 2] < 16 ? numbers[index + 2] % 8 : null;
        index += 2;
      } else if (numbers[index + 1] === 2) {
        if (code === 38) now.colour = null;
        index += 4;
      }
    }
  }
  return now;
}

function classesOf(style) {
  const names = [];
  if (style.colour !== null) names.push(`ansi-${style.colour}`);
  for (const name of ["bold", "dim", "italic", "under"]) if (style[name]) names.push(`ansi-${name}`);
  return names.join(" ");
}
