"use strict";
// Shows a run while it goes on: a row a window from /events; a row takes the place of those within its time. The report's
// other sections come whole from /sofar now and then; one that is being read or used waits.
(() => {
  const charts = JSON.parse(document.getElementById("data").textContent)[0].charts;
  const get = (id) => document.getElementById(id);
  const put = (id, text) => { get(id).textContent = text; };
  const figure = (value) => value === null || value === undefined ? "-" :
    Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString();
  const axis = { labelColor: "var(--axis)", titleColor: "var(--axis)", gridColor: "var(--grid)", domainColor: "var(--line)",
    tickColor: "var(--line)", labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8 };
  const config = { aria: false, background: null, font: "system-ui, sans-serif", view: { stroke: null }, axis, axisX: { grid: false } };
  let rows = [], levels = [], views = {}, over = false, drawing = false, dirty = false;

  const walk = (node, visit) => {
    if (Array.isArray(node)) node.forEach((each) => walk(each, visit));
    else if (node && typeof node === "object") { visit(node); Object.values(node).forEach((each) => walk(each, visit)); }
  };
  const draw = async () => {
    if (!rows.length) return;
    if (drawing || typeof vegaEmbed === "undefined") { dirty = true; return; }
    drawing = true;
    do {
      dirty = false;
      for (const chart of charts) {
        const data = { time: rows, levels };
        if (!views[chart.name]) {
          const spec = JSON.parse(JSON.stringify(chart.spec));
          spec.datasets = data;
          walk(spec, (node) => { if (node.field === "series" && node.scale) node.legend = null; });
          const made = await vegaEmbed(get(`chart-${chart.name}`).querySelector(".plot"), spec, {
            renderer: "svg", actions: false, ast: true, config, defaultStyle: false, mode: "vega-lite", logLevel: 1,
            tooltip: { disableDefaultStyle: true },
          });
          views[chart.name] = made.view;
        } else {
          const name = chart.x === "users" ? "levels" : "time";
          await views[chart.name].data(name, data[name].map((row) => ({ ...row }))).runAsync();
        }
        const figure = get(`chart-${chart.name}`);
        // The brush's own marks would speak; the figure's label says it better.
        figure.querySelectorAll("svg [role], svg [aria-roledescription]").forEach((node) => {
          node.removeAttribute("role"); node.removeAttribute("aria-roledescription");
        });
        figure.dataset.drawn = "1";
      }
    } while (dirty);
    drawing = false;
  };
  const near = (progress) => {
    const shown = Object.entries(progress || {}).filter(([name]) => name !== "time").map(([name, value]) => {
      const line = document.createElement("p"), label = document.createElement("span");
      label.textContent = name.replaceAll("_", " ");
      line.append(label);
      if (typeof value === "number") {
        const meter = document.createElement("progress");
        meter.max = 1; meter.value = Math.min(1, value); meter.setAttribute("aria-label", label.textContent);
        line.append(meter, `${Math.round(100 * value)} %`);
      } else {
        line.append(Object.entries(value || {}).filter(([, each]) => each !== null && each !== false).map(([key, each]) => `${key.replaceAll("_", " ")} ${typeof each === "number" ? figure(each) : each}`).join(", "));
      }
      return line;
    });
    if (shown.length) get("near").replaceChildren(...shown);
  };
  const take = (told) => {
    for (const row of told.rows) {
      rows = rows.filter((each) => each.from < row.from || each.to > row.to);
      rows.push(row);
    }
    rows.sort((a, b) => a.from - b.from);
    if (told.at_s !== undefined) {
      const last = rows[rows.length - 1], share = Math.min(100, 100 * told.at_s / told.end_s);
      levels = told.levels;
      put("at", last.at); put("at-of", `of ${Math.round(told.end_s)} s`);
      put("users", told.running); put("rate", figure(last.throughput));
      put("p95", last.P95 === null ? "-" : `${figure(last.P95)} ms`);
      put("ok", told.totals.ok.toLocaleString("en")); put("errors", told.totals.errors.toLocaleString("en"));
      put("errors-of", Object.entries(told.totals.kinds).map(([kind, n]) => `${n} ${kind}`).join(", ") || "none");
      put("cpu", `${Math.round(100 * told.health.cpu)} %`);
      const bar = document.querySelector(".bar");
      bar.firstElementChild.style.width = `${share}%`; bar.setAttribute("aria-valuenow", Math.round(share));
      near(told.progress);
      document.documentElement.dataset.windows = rows.length;
    }
    draw();
  };
  const line = (text) => {
    const each = document.createElement("p");
    each.textContent = text;
    const lines = get("lines");
    if (lines.querySelector(".note")) lines.replaceChildren();
    lines.append(each);
  };

  let sections = [], known = 0;
  const used = (place) => place.contains(document.activeElement) || place.querySelector(".plot:hover");
  const put_in = (place, part) => {
    const open = [...place.querySelectorAll("figure")].filter((each) => each.querySelector("details[open]")).map((each) => each.id);
    place.style.minHeight = `${place.offsetHeight}px`;
    place.replaceChildren(...part.childNodes);
    open.map((id) => document.getElementById(id)).filter(Boolean).forEach((each) => { each.querySelector("details").open = true; });
  };
  const so_far = async () => {
    const answer = await fetch(`sofar?windows=${known}`);
    if (over || answer.status !== 200) return;
    const told = await answer.json(), parts = document.createElement("template"), drawn = new Set();
    parts.innerHTML = told.html;
    for (const place of document.querySelectorAll("[data-place]")) {
      const part = parts.content.querySelector(`[data-part="${place.dataset.place}"]`);
      if (!part || used(place)) continue;
      part.querySelectorAll("figure").forEach((figure) => drawn.add(figure.dataset.name));
      put_in(place, part);
    }
    if (typeof vegaEmbed !== "undefined") {
      const groups = JSON.parse(told.groups);
      for (const group of groups) group.charts = group.charts.filter((chart) => drawn.has(chart.name));
      const fresh = await drawCharts(groups, sections);
      sections = [...sections.filter((old) => !drawn.has(old.chart.name)), ...fresh];
    }
    document.querySelectorAll("[data-place]").forEach((place) => { place.style.minHeight = ""; });
    known = told.windows;
    document.documentElement.dataset.sofar = known;
  };
  const again = async () => {
    try { await so_far(); } catch (problem) { /* the server is gone, or busy: the stream says which */ }
    if (!over) setTimeout(again, 2000);
  };
  again();

  const events = new EventSource("events");
  events.onopen = () => { if (!over) put("state", "running"); };
  events.onerror = () => { if (!over) put("state", "connection lost; the run goes on"); };
  events.addEventListener("history", (event) => { rows = []; take(JSON.parse(event.data)); });
  events.addEventListener("window", (event) => take(JSON.parse(event.data)));
  events.addEventListener("line", (event) => line(JSON.parse(event.data)));
  events.addEventListener("done", (event) => {
    const told = JSON.parse(event.data);
    over = true; events.close(); put("state", "finished"); if (get("stop")) get("stop").disabled = true;
    get("over").hidden = false;
    get("over").replaceChildren(...told.sentences.map((text) => { const p = document.createElement("p"); p.textContent = text; return p; }));
    if (told.report) location.replace("report.html");
  });
  if (get("stop")) get("stop").addEventListener("click", async () => {
    get("stop").disabled = true;
    const token = new URLSearchParams(location.search).get("token") || "";
    const answer = await fetch(`stop?token=${encodeURIComponent(token)}`, { method: "POST" });
    put("state", answer.ok ? "stopping: requests in flight are finished first" : await answer.text());
    if (!answer.ok) get("stop").disabled = false;
  });
})();
