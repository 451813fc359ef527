// What the pages do: unpack library and data, draw charts in the theme's colors, sort and search.
(() => {
"use strict";

const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const element = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const announce = (message) => { find("#announce").textContent = message; };
// Plotly reads a little HTML in texts: names are shown as they are.
const plain = (name) => String(name).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// -- Theme ------------------------------------------------------------------------------------

const system = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const isDark = () => !printing && (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";

function showTheme() {
  find("#theme").textContent = isDark() ? "Light theme" : "Dark theme";
  drawAll();
}

function setUpTheme() {
  find("#theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("forerun-theme", theme); } catch (error) { /* not kept */ }
    showTheme();
  });
  system.addEventListener("change", showTheme);
  addEventListener("beforeprint", () => { printing = true; drawAll(); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
  showTheme();
}

// -- Numbers ----------------------------------------------------------------------------------

// As the tables of the page write them: thousands separators, no exponents.
const digits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const written = (value) => (typeof value === "number" ? digits.format(value).replace("-", "\u2212") : String(value));

// -- Tables -----------------------------------------------------------------------------------

const cellValue = (row, column) => {
  const cell = row.cells[column];
  if (!("v" in cell.dataset)) return cell.textContent.trim().toLowerCase() || null;
  if (cell.dataset.v === "") return null;
  const number = Number(cell.dataset.v);
  return Number.isNaN(number) ? cell.dataset.v : number;
};

function sortTable(table, column, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, column), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b), undefined, { numeric: true }) : a - b);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const heading of table.tHead.rows[0].cells) heading.removeAttribute("aria-sort");
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction);
}

function setUpTables() {
  for (const table of all("table.sortable")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = find("button", heading);
      if (!button) continue;
      button.addEventListener("click", () => {
        const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        sortTable(table, heading.cellIndex, direction);
        announce(`Sorted by ${button.textContent}, ${direction}`);
      });
    }
  }
}

function setUpFilters() {
  for (const input of all("[data-filter]")) {
    const table = document.getElementById(input.dataset.filter);
    const count = document.getElementById(`${input.dataset.filter}-count`);
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = (row.dataset.text || row.textContent).toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      if (count) count.textContent = `${shown} of ${table.tBodies[0].rows.length} shown`;
    };
    input.addEventListener("input", apply);
    apply();
  }
  for (const select of all("select[data-only]")) {
    const apply = () => {
      for (const row of all(`#${select.dataset.only} tbody tr`)) row.hidden = row.dataset.key !== select.value;
    };
    select.addEventListener("change", apply);
    apply();
  }
}

function fillTable(details, caption, head, rows) {
  all("div", details).forEach((old) => old.remove());
  const headings = head.map((name) => element("th", { scope: "col" }, String(name)));
  const body = rows.map((row) => {
    const cells = row.map((value, i) => (i ? element("td", { class: "num" }, value === null || value === undefined ? "–" : written(value)) : element("th", { scope: "row" }, String(value))));
    return element("tr", {}, ...cells);
  });
  const table = element("table", {}, element("caption", { class: "hidden" }, caption), element("thead", {}, element("tr", {}, ...headings)), element("tbody", {}, ...body));
  details.append(element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": `${caption}, table` }, table));
}

// -- Charts -----------------------------------------------------------------------------------

let data = null;
const visible = new Set();
const redraw = [];
const drawAll = () => { if (window.Plotly && data) redraw.forEach((draw) => draw()); };
const COMBINED = { ensemble: "ensemble (of all)", per_series: "per_series (best model of each)" };
const css = (name) => {
  const probe = element("span", { style: `color: var(--${name})` });
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
};

function ink() {
  if (printing) return { ink: "#1f2933", muted: "#566270", line: "#d5dbe2", page: "#ffffff", observed: "#1f2933", panel: "#f5f7f9" };
  return Object.fromEntries(["ink", "muted", "line", "page", "observed", "panel"].map((name) => [name, css(name)]));
}

function look(model) {
  const { light, dark, ...line } = data.looks[model];
  return { ...line, color: isDark() ? dark : light };
}

// Thick lines are drawn first: thin ones are on top.
const widthOf = (trace) => (trace.m === undefined ? 0 : data.looks[trace.m].width);
const thickFirst = (models) => [...models].sort((a, b) => data.looks[b].width - data.looks[a].width || a - b);

const faded = (color, opacity) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
};

const soft = (color) => (color.startsWith("#") ? faded(color, 0.18) : color.replace(/^rgb\((.*)\)$/, "rgba($1, 0.18)"));

function layoutOf(extra, height) {
  const c = ink();
  const axis = { gridcolor: c.line, linecolor: c.line, zerolinecolor: c.line, automargin: true, separatethousands: true, exponentformat: "B", minexponent: 9, tickfont: { color: c.muted }, title: { font: { color: c.muted, size: 13 }, standoff: 8 } };
  // Names are beside the boxes above the charts; paper has no boxes. Below the axis' title: 58 pixels.
  const legend = { orientation: "h", x: 0, xanchor: "left", y: -58 / (height - 110), yanchor: "top", traceorder: "normal", itemclick: false, itemdoubleclick: false };
  const merged = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", legend, showlegend: printing, height,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: c.ink },
    margin: { l: 12, r: 16, t: 8, b: 12 }, hoverlabel: { bgcolor: c.page, bordercolor: c.muted, font: { color: c.ink }, namelength: -1 },
    ...extra,
  };
  if (printing) Object.assign(merged, { width: 660, autosize: false });
  for (const name of ["xaxis", "yaxis"]) {
    const own = (extra && extra[name]) || {};
    merged[name] = { ...axis, ...own, title: { ...axis.title, ...(own.title || {}) } };
  }
  return merged;
}

const options = { responsive: true, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"], scrollZoom: false };

function paint(trace) {
  const { m, neutral, ...drawn } = trace;
  if ("name" in drawn) drawn.name = plain(drawn.name);
  if (drawn.text) drawn.text = drawn.text.map(plain);
  if (neutral && drawn.fill) return { ...drawn, fillcolor: soft(ink().muted), line: { width: 0 } };
  if (neutral) return { ...drawn, line: { color: ink().muted, dash: "dash", width: 1.5 } };
  const { color, dash, width, opacity } = m === undefined ? { color: isDark() ? "#5BC5FF" : "#0072B2", width: 2 } : look(m);
  if (drawn.type === "scatter" && opacity) drawn.opacity = opacity;
  drawn.marker = { ...(drawn.marker || {}), color: color };
  if (drawn.type !== "bar") drawn.line = { color: color, width, dash };
  if (drawn.type === "box") { drawn.fillcolor = faded(color, 0.3); delete drawn.line.dash; }
  return drawn;
}

// A chart in words is its label and the table below it: a screen reader is spared the axes' numbers.
function render(plot, traces, layout) {
  Plotly.react(plot, traces, layout, options);
  all("svg.main-svg", plot).forEach((svg) => svg.setAttribute("aria-hidden", "true"));
}

const isShown = (trace) => trace.m === undefined || visible.has(trace.m);

const withUnit = (layout, axes) => ({ ...layout, ...Object.fromEntries(Object.entries(axes).map(([name, unit]) => [name, { ...layout[name], ticksuffix: unit }])) });

function setUpChart(figure) {
  const chart = data.charts.find((one) => one.id === figure.dataset.chart);
  if (!chart) { figure.hidden = true; return; }
  const plot = find(".plot", figure), details = find("details", figure);
  let current = 0;
  const draw = () => {
    const traces = chart.variants[current].data.filter(isShown);
    if (!chart.rows) traces.sort((a, b) => widthOf(b) - widthOf(a));
    const names = new Set(traces.flatMap((trace) => (trace.orientation === "h" ? trace.y : [])));
    const height = chart.height || (chart.rows ? 90 + 30 * Math.max(names.size, 3) : 340);
    const unit = chart.variants[current].unit || "";
    const axes = Object.fromEntries(chart.rows ? [["xaxis", unit]] : [["xaxis", chart.height ? unit : ""], ["yaxis", unit]]);
    render(plot, traces.map(paint), layoutOf({ ...withUnit(chart.layout, axes), barmode: "overlay", hovermode: chart.layout.hovermode || (chart.rows ? "closest" : "x unified"), ...(chart.rows ? { showlegend: false } : {}) }, height));
    if (details && details.open) table();
  };
  const table = () => {
    const traces = chart.variants[current].data.filter((trace) => isShown(trace) && !trace.neutral);
    const caption = `${find("h3", figure).textContent}: ${chart.variants[current].label}`;
    if (traces[0] && traces[0].type === "box") {
      fillTable(details, caption, ["Model", "5 %", "25 %", "Median", "75 %", "95 %"], traces.map((t) => [t.name, t.lowerfence[0], t.q1[0], t.median[0], t.q3[0], t.upperfence[0]]));
    } else if (traces[0] && traces[0].orientation === "h") {
      fillTable(details, caption, ["Model", chart.variants[current].label], traces.map((t) => [t.name, t.x[0]]));
    } else if (traces[0] && traces[0].text) {
      fillTable(details, caption, ["Series", "First run", "Second run"], traces.flatMap((t) => t.text.map((name, i) => [name, t.x[i], t.y[i]])));
    } else if (traces.length) {
      const longest = traces.reduce((a, b) => (b.x.length > a.x.length ? b : a));
      fillTable(details, caption, [chart.layout.xaxis.title.text, ...traces.map((t) => t.name)], longest.x.map((x, i) => [x, ...traces.map((t) => t.y[i])]));
    }
  };
  if (chart.variants.length > 1) {
    const select = element("select", {}, ...chart.variants.map((v, i) => element("option", { value: i }, v.label)));
    select.addEventListener("change", () => { current = Number(select.value); draw(); });
    find(".variant", figure).append(element("label", {}, "Measure ", select));
  } else find(".variant", figure).remove();
  if (details) details.addEventListener("toggle", () => details.open && table());
  redraw.push(draw);
}

function setUpModels() {
  const box = find("#models");
  if (!box) { data.models.forEach((_, i) => visible.add(i)); return; }
  box.hidden = false;
  const baseline = data.models.indexOf("SeasonalNaive");
  const first = Number(box.dataset.first || 5);
  const best = () => { data.models.forEach((_, i) => { if (i < first || i === baseline) visible.add(i); }); };
  const wanted = { best, all: () => data.models.forEach((_, i) => visible.add(i)), none: () => {}, first: () => visible.add(0) };
  const swatches = [];
  best();
  const boxes = data.models.map((name, i) => {
    const input = element("input", { type: "checkbox" });
    input.addEventListener("change", () => { visible[input.checked ? "add" : "delete"](i); drawAll(); });
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    swatch.setAttribute("class", "swatch");
    for (const [key, value] of Object.entries({ width: 26, height: 10, "aria-hidden": "true" })) swatch.setAttribute(key, value);
    swatches.push(() => {
      const { color, dash, width } = look(i);
      const pattern = dash === "solid" ? "none" : dash.replaceAll("px", "");
      swatch.innerHTML = `<line x1="0" y1="5" x2="26" y2="5" stroke="${color}" stroke-width="${width + 1}" stroke-dasharray="${pattern}"/>`;
    });
    find(".names", box).append(element("label", {}, input, swatch, COMBINED[name] || name));
    return input;
  });
  const show = () => boxes.forEach((input, i) => { input.checked = visible.has(i); });
  for (const button of all("[data-show]", box)) {
    button.addEventListener("click", () => { visible.clear(); wanted[button.dataset.show](); show(); drawAll(); });
  }
  show();
  redraw.push(() => swatches.forEach((draw) => draw()));
}

// -- One series -------------------------------------------------------------------------------

// Packed values are whole numbers of steps, each the difference to the one before.
function running(values) {
  let last = 0;
  return values.map((value) => (value === null ? null : (last += value)));
}

function unpackSeries(packed, times) {
  const decimals = Math.max(0, -Math.floor(Math.log10(packed.s) + 1e-9));
  const real = (steps) => (steps === null ? null : Number((steps * packed.s).toFixed(Math.min(decimals, 12))));
  return packed.v.map(([line, kind, when, values, low, high]) => {
    const places = Array.isArray(when) ? running(when) : values.map((_, i) => when + i);
    const steps = running(values).map((value) => (value === null ? null : value + packed.b));
    const shifted = (sides, sign) => sides && running(sides).map((value, i) => (value === null || steps[i] === null ? null : real(steps[i] + sign * value)));
    return { line, kind, x: places.map((i) => times[i]), y: steps.map(real), low: shifted(low, -1), high: shifted(high, 1) };
  });
}

const KINDS = { history: 0, test: 1, forecast: 2 };

function seriesTraces(parts, shown) {
  const traces = [];
  const intervals = shown.intervals === "none" ? [] : shown.lines.filter((line) => parts.some((p) => p.line === line && p.low)).slice(0, shown.intervals === "first" ? 1 : undefined);
  for (const line of intervals) {
    for (const part of parts.filter((p) => p.line === line && p.low && shown.kinds.has(p.kind))) {
      traces.push({ type: "scatter", mode: "lines", x: [...part.x, ...[...part.x].reverse()], y: [...part.high, ...[...part.low].reverse()], fill: "toself", fillcolor: faded(look(line).color, 0.18), line: { width: 0 }, hoverinfo: "skip", showlegend: false });
    }
  }
  for (const line of thickFirst(shown.lines)) {
    const own = parts.filter((p) => p.line === line && shown.kinds.has(p.kind));
    if (!own.length) continue;
    const { color, dash, width, opacity } = look(line);
    const gap = (values) => own.flatMap((part, i) => (i ? [null, ...part[values]] : part[values]));
    const xs = own.flatMap((part, i) => (i ? [part.x[0], ...part.x] : part.x));
    traces.push({ type: "scatter", mode: "lines", name: plain(data.models[line]), x: xs, y: gap("y"), line: { color: color, dash, width }, opacity, connectgaps: false });
  }
  const history = parts.filter((p) => p.kind === KINDS.history);
  traces.push({ type: "scatter", mode: "lines", name: "observed", x: history.flatMap((p) => p.x), y: history.flatMap((p) => p.y), line: { color: ink().observed, width: 1.8 } });
  return traces;
}

function setUpExplorer(figure) {
  const { series } = data.explorer;
  const numeric = data.explorer.times.every((time) => /^-?\d+(\.\d+)?$/.test(time));
  const times = numeric ? data.explorer.times.map(Number) : data.explorer.times;
  const input = find("#series"), plot = find(".plot", figure), details = find("details", figure);
  const names = new Map(series.map((one, i) => [one.n, i]));
  find("#series-names").append(...series.map((one) => element("option", { value: one.n })));
  if (!series.length) { figure.hidden = true; return; }
  let current = 0, parts = [], drawnSeries = null;

  const hasIntervals = series[0].v.some((segment) => segment.length > 4);
  find("#intervals-label").hidden = !hasIntervals;

  const draw = () => {
    if (drawnSeries !== current) parts = unpackSeries(series[current], times);
    const kinds = new Set();
    if (find("#show-tests").checked) kinds.add(KINDS.test);
    if (find("#show-forecasts").checked) kinds.add(KINDS.forecast);
    const lines = [...visible].sort((a, b) => a - b);
    const traces = seriesTraces(parts, { kinds, lines, intervals: find("#intervals").value });
    const [time, value] = data.axes;
    const names = traces.filter((trace) => trace.showlegend !== false).length;
    const rows = Math.ceil(names / Math.max(1, Math.floor((plot.clientWidth || 660) / 170)));
    const layout = layoutOf({ hovermode: "x unified", showlegend: true, xaxis: { type: numeric ? "linear" : "date", title: { text: time } }, yaxis: { title: { text: value } } }, 440 + 24 * rows);
    const past = parts.find((p) => p.kind === KINDS.history);
    const tested = parts.filter((p) => p.kind !== KINDS.history);
    if (past && tested.length && !find("#whole").checked) {
      const begins = tested.reduce((a, p) => (p.x[0] < a ? p.x[0] : a), tested[0].x[0]);
      const ends = tested.reduce((a, p) => (p.x.at(-1) > a ? p.x.at(-1) : a), past.x.at(-1));
      const split = past.x.findIndex((x) => x >= begins);
      const after = Math.max(past.x.length - split, 8);
      const start = past.x[Math.max(0, (split < 0 ? past.x.length : split) - after)];
      layout.xaxis.range = [start, ends];
      const inside = traces.flatMap((t) => t.y.filter((_, i) => t.x[i] >= start)).filter((y) => y !== null);
      const [low, high] = inside.reduce(([a, b], y) => [Math.min(a, y), Math.max(b, y)], [Infinity, -Infinity]);
      const room = (high - low || Math.abs(high) || 1) * 0.06;
      if (inside.length) layout.yaxis.range = [low - room, high + room];
    }
    const cuts = [...new Set(parts.filter((p) => p.kind === KINDS.test && kinds.has(p.kind)).map((p) => p.x[0]))];
    layout.shapes = cuts.slice(0, 40).map((x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: ink().muted, width: 1, dash: "dot" }, layer: "below" }));
    const future = parts.filter((p) => p.kind === KINDS.forecast && visible.has(p.line));
    if (future.length && kinds.has(KINDS.forecast)) layout.shapes.push({ type: "rect", x0: future[0].x[0], x1: future[0].x.at(-1), yref: "paper", y0: 0, y1: 1, line: { width: 0 }, fillcolor: ink().panel, layer: "below" });
    render(plot, traces, layout);
    plot.setAttribute("aria-label", `Series ${series[current].n}: ${past ? past.x.length : 0} observed values, forecasts of ${future.length} models. The table below has the forecasts.`);
    drawnSeries = current;
    if (details.open) table();
  };
  const table = () => {
    const shown = parts.filter((p) => p.kind === KINDS.forecast && visible.has(p.line));
    const when = [...new Set(shown.flatMap((p) => p.x))].sort((a, b) => (a < b ? -1 : 1));
    const rows = when.map((x) => [x, ...shown.map((p) => p.y[p.x.indexOf(x)])]);
    fillTable(details, `Forecasts of ${series[current].n}`, ["Time", ...shown.map((p) => data.models[p.line])], rows);
  };
  const name = () => {
    input.value = series[current].n;
    find(".on-paper", figure).textContent = series[current].n;
  };
  const pick = (number) => {
    current = (number + series.length) % series.length;
    name();
    draw();
    announce(`Series ${series[current].n}, ${current + 1} of ${series.length}`);
  };
  const search = () => {
    const wanted = input.value.trim().toLowerCase();
    const exact = names.get(input.value.trim());
    const found = exact ?? series.findIndex((one) => one.n.toLowerCase().includes(wanted));
    if (found < 0) { announce(`No series called ${input.value}`); input.value = series[current].n; return; }
    pick(found);
  };
  input.addEventListener("change", search);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("input", () => { if (names.has(input.value)) pick(names.get(input.value)); });
  find("#previous").addEventListener("click", () => pick(current - 1));
  find("#next").addEventListener("click", () => pick(current + 1));
  for (const id of ["show-tests", "show-forecasts", "whole", "intervals"]) find(`#${id}`).addEventListener("change", draw);
  for (const button of all("[data-series]")) {
    button.addEventListener("click", () => {
      if (!names.has(button.dataset.series)) { announce("This series is not in the page's sample"); return; }
      pick(names.get(button.dataset.series));
      find("#forecasts").scrollIntoView();
      input.focus({ preventScroll: true });
    });
  }
  details.addEventListener("toggle", () => details.open && table());
  name();
  redraw.push(draw);
}

// -- Start ------------------------------------------------------------------------------------

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function start() {
  setUpTables();
  setUpFilters();
  setUpTheme();
  if (document.getElementById("library")) {
    data = JSON.parse(await unpack("data"));
    const script = element("script");
    script.textContent = await unpack("library");
    document.head.append(script);
    setUpModels();
    all("[data-chart]").forEach(setUpChart);
    all("[data-explorer]").forEach(setUpExplorer);
    drawAll();
  }
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  const trouble = find("#trouble");
  trouble.hidden = false;
  trouble.textContent = `The charts cannot be drawn (${error.message}). They need a browser of 2023 or later; the tables are complete.`;
  console.error(error);
});
})();
