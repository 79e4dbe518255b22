// Follows a running comparison by Server-Sent Events (see live.py) and writes what changed into the page.
// Gradio hears of a comparison when it begins and when it has ended, and renders nothing in between.
window.live = (() => {
  const STORE = "side-by-side-ticket";
  const TEXT_NODE = 200; // letters; a browser draws a whole node of text anew when it grows
  const RETRIES = 8; // within the time that answers go on without a page
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const page = hex(crypto.getRandomValues(new Uint8Array(16))); // randomUUID needs https, which a home network lacks
  const root = new URL(window.gradio_config?.root || ".", location.href).pathname.replace(/\/$/, "");
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("side-by-side") : null;

  let ticket = "", source = null, version = 0, failures = 0, timer = 0, quietly = false, resumed = false;
  let values = new Map(), blocks = new Map(); // what the server has said, for parts of the page that are mounted later

  // a browser may forbid storage; then a reload begins anew
  const remember = (word) => { try { word ? sessionStorage.setItem(STORE, word) : sessionStorage.removeItem(STORE); } catch { /* see above */ } };
  const remembered = () => { try { return sessionStorage.getItem(STORE) || ""; } catch { return ""; } };

  // --- what the page shows ---

  const places = new Map();

  /** The place of that selector. Gradio may mount a part of the page anew, so only those in the page are kept. */
  function find(selector) {
    let place = places.get(selector);
    if (!place?.isConnected) places.set(selector, place = document.querySelector(selector));
    return place;
  }

  const STATES = { race: "race", sealed: "sealed", "left.status": "left", "right.status": "right" };

  function paintValue(key, value) {
    if (key in STATES) {
      if (value) document.body.dataset[STATES[key]] = value; else delete document.body.dataset[STATES[key]];
      return;
    }
    if (key.endsWith(".source")) {
      const button = find(`[data-copies="${key}"]`);
      if (button) button.hidden = !value;
      return;
    }
    if (key.endsWith(".thought")) {
      const details = find(`[data-thought="${key}"]`);
      if (!details) return;
      details.hidden = !value;
      details.open = value === "open";
      return;
    }
    if (key.startsWith("cell.")) {
      const cell = find(`[data-cell="${key}"]`);
      if (!cell) return;
      const [text, unit, width, why] = value;
      const set = (place, name, now) => { if (place[name] !== now) place[name] = now; };
      set(cell.querySelector("b").firstChild ?? cell.querySelector("b").appendChild(new Text()), "data", text);
      set(cell.querySelector("small").firstChild ?? cell.querySelector("small").appendChild(new Text()), "data", unit);
      cell.querySelector("i").style.transform = `scaleX(${width / 100})`;
      set(cell, "title", why);
      return;
    }
    const place = find(`[data-live="${key}"]`);
    if (!place) return;
    if (place.innerHTML !== value) place.innerHTML = value;
  }

  const template = document.createElement("template");

  const isText = (node) => node?.nodeType === Node.TEXT_NODE;

  /** Make the children of `place` those of `next`, and touch no more than what differs: of a paragraph that grows, the
   *  browser then draws its last words anew and not the whole of it (benchmarks/page_cost.py). */
  function morph(place, next) {
    const old = place.childNodes, wanted = [...next.childNodes];
    let seen = 0, done = 0; // of `old` and of `wanted`; a long text is several nodes of `old`
    for (; done < wanted.length && seen < old.length; done++) {
      const [before, after] = [old[seen], wanted[done]];
      if (isText(before) && isText(after)) seen = morphText(old, seen, after.data);
      else if (before.isEqualNode(after)) seen++;
      else if (!isText(before) && before.cloneNode(false).isEqualNode(after.cloneNode(false))) {
        morph(before, after);
        seen++;
      } else break;
    }
    while (old.length > seen) place.lastChild.remove();
    place.append(...wanted.slice(done));
  }

  /** Make the nodes of text from `first` on say `wanted`; the index of what follows them. */
  function morphText(nodes, first, wanted) {
    let end = first, text = "";
    for (; isText(nodes[end]); end++) text += nodes[end].data;
    const last = nodes[end - 1];
    if (text === wanted) return end;
    if (wanted.startsWith(text)) {
      const more = wanted.slice(text.length);
      if (last.length < TEXT_NODE) last.appendData(more);
      else last.after(more), end++;
      return end;
    }
    while (--end > first) nodes[end].remove();
    nodes[first].data = wanted;
    return first + 1;
  }

  function paintBlocks(key, from) {
    const place = find(`[data-blocks="${key}"]`);
    if (!place) return;
    const known = blocks.get(key);
    if (place.children.length < from) from = 0; // the place was made anew
    while (place.children.length > known.length) place.lastChild.remove();
    for (let index = from; index < known.length; index++) {
      let block = place.children[index];
      if (!block) {
        block = place.appendChild(document.createElement("div"));
        block.className = "block";
      } else if (block.html === known[index]) continue;
      block.html = template.innerHTML = known[index];
      morph(block, template.content);
    }
  }

  const paint = (key, from = 0) => blocks.has(key) ? paintBlocks(key, from) : paintValue(key, values.get(key));

  /** Fill a part of the page that was mounted just now: Gradio does so a moment after the question is sent. */
  function mounted() {
    for (const key of [...values.keys(), ...blocks.keys()]) paint(key);
  }

  function apply(patch) {
    const silent = resumed && version === 0 && patch.values.race === "ended"; // an earlier page has said it
    version = patch.version;
    document.body.classList.remove("live-stale");
    for (const [key, value] of Object.entries(patch.values)) {
      values.set(key, value);
      if (!(silent && key === "said")) paint(key);
    }
    for (const [key, [from, changed]] of Object.entries(patch.blocks)) {
      const known = blocks.get(key) ?? blocks.set(key, []).get(key);
      known.splice(from, Infinity, ...changed);
      paint(key, from);
    }
  }

  // --- the connection ---

  function connect() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(`${root}/live/${encodeURIComponent(ticket)}?page=${page}&since=${version}`);
    source.addEventListener("patch", (event) => {
      failures = 0;
      document.body.classList.remove("live-lost");
      apply(JSON.parse(event.data));
    });
    source.addEventListener("end", () => {
      source.close();
      if (!quietly) document.querySelector("#race-ended")?.click();
    });
    source.onerror = async () => {
      const mine = source, refused = mine.readyState === EventSource.CLOSED; // by an answer that is no stream
      mine.close();
      if (refused && await isVoid(mine.url)) {
        if (mine === source) lose();
        return;
      }
      if (mine !== source) return; // something else was asked meanwhile
      failures += 1;
      document.body.classList.toggle("live-lost", failures > RETRIES);
      timer = setTimeout(connect, failures > RETRIES ? 10_000 : Math.min(500 * failures, 2_000));
    };
  }

  /** Whether the app has no such comparison, as after a restart; it then never will. */
  async function isVoid(url) {
    const asked = new AbortController();
    try {
      return (await fetch(url, { signal: asked.signal })).status === 404;
    } catch {
      return false;
    } finally {
      asked.abort(); // of a stream nobody needs more than its status
    }
  }

  /** Give a comparison up that the app no longer has. What came of it stays on the page. */
  function lose() {
    stop();
    remember("");
    document.body.classList.remove("live-stale");
    document.body.classList.add("live-void");
  }

  function stop() {
    clearTimeout(timer);
    source?.close();
    source = null;
    document.body.classList.remove("live-lost", "live-void");
  }

  /** Follow the comparison of this ticket; none for "". */
  function follow(next) {
    if ((next || "") === ticket) return;
    ticket = next || "";
    remember(ticket);
    stop();
    version = failures = 0;
    quietly = resumed = false;
    for (const name of Object.values(STATES)) delete document.body.dataset[name];
    document.body.classList.toggle("live-stale", Boolean(ticket)); // no old answer is seen under a new question
    clear();
    if (ticket) connect();
  }

  /** Take the last comparison off the page, hidden parts too: nothing of a revealed pair stays beside the next one. */
  function clear() {
    values = new Map();
    blocks = new Map();
    for (const place of document.querySelectorAll("[data-live], [data-blocks]")) place.replaceChildren();
    for (const cell of document.querySelectorAll("[data-cell]")) {
      cell.removeAttribute("title");
      for (const part of cell.querySelectorAll("b, small")) part.replaceChildren();
    }
  }

  /** Follow what an earlier load of this page followed, unless something new was asked meanwhile. */
  function resume(before) {
    if (!before || ticket) return;
    follow(before);
    resumed = true;
  }

  /** Ask once more for what has changed since the end, as after a vote. */
  function refresh() {
    if (!ticket || values.get("race") !== "ended") return;
    quietly = true;
    connect();
  }

  /** The ticket that this tab had before it was loaded again; "" if another open tab has it, of which this is a copy. */
  async function stored() {
    const before = remembered();
    if (!before || !channel) return before;
    const taken = await new Promise((answer) => {
      const wait = setTimeout(() => answer(false), 150);
      channel.addEventListener("message", ({ data }) => {
        if (data.have === before) { clearTimeout(wait); answer(true); }
      });
      channel.postMessage({ ask: before });
    });
    if (!taken) return before;
    remember("");
    return "";
  }

  channel?.addEventListener("message", ({ data }) => {
    if (data.ask && data.ask === ticket) channel.postMessage({ have: ticket });
  });
  addEventListener("pageshow", (event) => { if (event.persisted && ticket) connect(); });

  // --- copying ---

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not over https, or not allowed: the way that works everywhere
      const field = Object.assign(document.createElement("textarea"), { value: text });
      field.style.cssText = "position: fixed; opacity: 0";
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".copy-code, .copy-answer");
    if (!button) return;
    const code = button.closest(".code, figure, .block")?.querySelector("code");
    const text = button.matches(".copy-code") ? code?.textContent : values.get(button.dataset.copies);
    await copy(text ?? "");
    const label = button.textContent;
    if (label === "Copied") return;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1_500);
  });

  return { follow, resume, refresh, stored, mounted, morph };
})();
