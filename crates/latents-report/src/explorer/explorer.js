// The explorer: selection, colours, decoding, and the controls. Each model has its own view; the selected images are the same in all
// views, so that models can be compared.

/** Draws an image, given channel by channel as numbers from 0 to 1, onto a canvas of its size. */
const paint = (canvas, numbers, [channels, h, w]) => {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const image = imageOf(numbers, [channels, h, w]);
  canvas.getContext('2d').putImageData(image, 0, 0);
};

const imageOf = (numbers, [channels, h, w]) => {
  const image = new ImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(numbers[(channels === 3 ? c : 0) * h * w + i] * 255);
    image.data[4 * i + 3] = 255;
  }
  return image;
};

const digits = (value) => Number(value.toPrecision(3)).toString();

/** One model: its map, its decoded image, the interpolation between selected images, and its latent dimensions. */
class View {
  constructor(root, model, explorer) {
    Object.assign(this, { root, model, explorer, latent: null, from: '', what: '', like: 0 });
    this.parts = {};
    for (const element of root.querySelectorAll('[data-part]')) this.parts[element.dataset.part] = element;
    const { parts } = this;
    this.map = new PointMap(parts.map, model.map, model.extent, (...draw) => explorer.thumbnail(...draw), {
      hover: (i, x, y) => this.tip(i, x, y),
      click: (i) => explorer.toggle(i),
      move: (x, y) => this.decodeAt(x, y),
      drop: () => explorer.drop(),
    });
    parts.in.addEventListener('click', () => this.map.zoomBy(1.6));
    parts.out.addEventListener('click', () => this.map.zoomBy(1 / 1.6));
    parts.whole.addEventListener('click', () => this.map.whole());
    parts.drop.addEventListener('click', () => explorer.drop());
    parts.as?.addEventListener('change', () => {
      this.show(this.latent, this.what, this.like);
      this.traverse(explorer.picked);
    });
    parts.more.addEventListener('click', () => this.showAxes(this.shownAxes === FEW_AXES ? model.dim : FEW_AXES));
    this.axes = [...model.axes].sort((a, b) => b.deviation - a.deviation);
    this.showAxes(FEW_AXES);
    // Warm up: the first passes are slow, before the browser has compiled the code.
    for (let i = 0; i < 5; i++) model.decode(model.latents.subarray(0, model.dim), 0);
    // Start at the image nearest to the middle of the map.
    const start = this.map.pointNear(...this.map.toCanvas(model.extent.x, model.extent.y), Infinity);
    this.decodeImage(start);
  }

  // --- Decoding ---------------------------------------------------------------------------------

  decodeAt(x, y) {
    const { latent, images } = latentAt(this.model, x, y);
    this.show(latent, `At the handle; nearest image ${this.explorer.nameOf(images[0])}`, images[0]);
    this.showOriginal(images[0], 'Nearest image');
  }

  decodeImage(i) {
    const { dim, latents, map } = this.model;
    this.map.moveHandle(map[2 * i], map[2 * i + 1]);
    this.show(latents.slice(i * dim, (i + 1) * dim), `Reconstruction of image ${this.explorer.nameOf(i)}`, i);
    this.showOriginal(i, 'Original');
  }

  /** The class that a conditional decoder is given: the one that is chosen, or else that of an image. */
  classFor(image) {
    const chosen = this.parts.as?.value;
    return chosen ? Number(chosen) : this.explorer.labels?.[image];
  }

  /** What to add to a text about decoded images: the class that they have, of a conditional decoder. */
  asClass(given) {
    return this.parts.as ? `, as ${this.explorer.data.classes[given].name}` : '';
  }

  /** Decodes a latent vector and shows the image; its class is that of the image `like`. The sliders follow if `moveSliders`. */
  show(latent, what, like, moveSliders = true) {
    const { parts, model, explorer } = this;
    const given = this.classFor(like);
    const start = performance.now();
    this.image = model.decode(latent, given);
    this.decodeTime = performance.now() - start;
    const from = what + this.asClass(given);
    Object.assign(this, { latent, from, what, like });
    paint(parts.decoded, this.image, explorer.shape);
    parts.decoded.setAttribute('aria-label', `Decoded image. ${from}`);
    parts['decoded-caption'].textContent = `${from}. Decoded in ${this.decodeTime.toFixed(1)} ms.`;
    explorer.say(from);
    if (moveSliders) this.moveSliders();
  }

  showOriginal(i, what) {
    const { parts, explorer } = this;
    const { width, height } = explorer.data.thumbnails;
    parts['original-figure'].hidden = false;
    Object.assign(parts.original, { width, height });
    explorer.thumbnail(parts.original.getContext('2d'), i, 0, 0, Math.max(width, height));
    parts.original.setAttribute('aria-label', `${what} ${explorer.nameOf(i)}`);
    parts['original-caption'].textContent = `${what}: ${this.describe(i)}.`;
  }

  describe(i) {
    const { explorer, model } = this;
    const facts = [explorer.nameOf(i)];
    if (model.errors) facts.push(`error ${digits(model.errors[i])}`);
    if (model.clusters) facts.push(`cluster ${model.clusters[i]}`);
    if (explorer.data.files) facts.push(explorer.data.files[i]);
    return facts.join(', ');
  }

  tip(i, x, y) {
    const { parts, explorer } = this;
    parts.tip.hidden = i < 0;
    if (i < 0) return;
    const { width, height } = explorer.data.thumbnails;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height, className: 'image' });
    explorer.thumbnail(canvas.getContext('2d'), i, 0, 0, Math.max(width, height));
    const text = document.createElement('span');
    text.textContent = this.describe(i);
    parts.tip.replaceChildren(canvas, text);
    const right = x > this.map.width / 2;
    Object.assign(parts.tip.style, {
      left: right ? '' : `${x + 16}px`,
      right: right ? `${this.map.width - x + 16}px` : '',
      top: `${Math.min(y + 12, this.map.height - 90)}px`,
    });
  }

  // --- Interpolation ----------------------------------------------------------------------------

  /** Two selected images give a strip of equal steps, three or four a grid with them at its corners. */
  traverse(picked) {
    const { parts, model, explorer } = this;
    const few = picked.length < 2;
    parts.traversal.hidden = few;
    parts.drop.hidden = picked.length === 0;
    const names = picked.map((i, at) => `${'ABCD'[at]} ${explorer.nameOf(i)}`);
    const given = few ? undefined : this.classFor(picked[0]);
    const as = few ? '' : this.asClass(given);
    parts['between-caption'].textContent = [
      'Click two to four images on the map.',
      `${names[0]} is selected; click another image.`,
      `Equal steps in latent space from ${names[0]} to ${names[1]}${as}.`,
      `Interpolation between ${names.join(', ')}, clockwise from the upper left${as}; the fourth corner is their mean.`,
      `Interpolation between ${names.join(', ')}, clockwise from the upper left${as}.`,
    ][picked.length];
    if (few) return;
    const rows = picked.length === 2 ? 1 : GRID;
    const columns = picked.length === 2 ? STRIP : GRID;
    const corners = picked.map((i) => model.latents.subarray(i * model.dim, (i + 1) * model.dim));
    if (corners.length === 3) corners.push(corners[0].map((_, k) => (corners[0][k] + corners[1][k] + corners[2][k]) / 3));
    const [a, b, c, d] = corners;
    const [, h, w] = explorer.shape;
    const canvas = parts.traversal;
    Object.assign(canvas, { width: columns * (w + 1) - 1, height: rows * (h + 1) - 1 });
    const context = canvas.getContext('2d');
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const u = column / (columns - 1);
        const v = rows === 1 ? 0 : row / (rows - 1);
        const latent = a.map((_, k) => {
          const upper = a[k] + (b[k] - a[k]) * u;
          return rows === 1 ? upper : upper + (d[k] + (c[k] - d[k]) * u - upper) * v;
        });
        context.putImageData(imageOf(model.decode(latent, given), explorer.shape), column * (w + 1), row * (h + 1));
      }
    canvas.setAttribute('aria-label', `${rows * columns} decoded images. ${parts['between-caption'].textContent}`);
  }

  // --- Latent dimensions ------------------------------------------------------------------------

  showAxes(count) {
    const { parts, model } = this;
    this.shownAxes = count;
    parts.more.hidden = model.dim <= FEW_AXES;
    parts.more.textContent = count === FEW_AXES ? `All ${model.dim} dimensions` : 'Fewer dimensions';
    parts.more.setAttribute('aria-expanded', String(count > FEW_AXES));
    this.sliders = this.axes.slice(0, count).map(({ axis, low, high }) => {
      const label = document.createElement('label');
      const name = document.createElement('span');
      name.textContent = `z${axis}`;
      const slider = document.createElement('input');
      const step = (high - low) / 200 || 1;
      Object.assign(slider, { type: 'range', min: low, max: high, step: 'any' });
      slider.dataset.axis = axis;
      slider.setAttribute('aria-label', `Dimension ${axis}`);
      const value = document.createElement('output');
      // All values change with every step of the handle; only the status line is announced.
      value.setAttribute('aria-live', 'off');
      slider.addEventListener('input', () => this.slide(axis, Number(slider.value), value));
      // With the step "any", the arrow keys of browsers move a slider by too little.
      slider.addEventListener('keydown', (event) => {
        const move = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
        if (!move) return;
        event.preventDefault();
        slider.value = Number(slider.value) + move * step;
        this.slide(axis, Number(slider.value), value);
      });
      label.append(name, slider, value);
      return { axis, slider, value, label };
    });
    parts.sliders.replaceChildren(...this.sliders.map(({ label }) => label));
    if (this.latent) this.moveSliders();
  }

  slide(axis, to, output) {
    const latent = this.latent.slice();
    latent[axis] = to;
    output.textContent = to.toFixed(2);
    this.show(latent, `Dimension ${axis} at ${to.toFixed(2)}`, this.like, false);
  }

  moveSliders() {
    for (const { axis, slider, value } of this.sliders) {
      slider.value = this.latent[axis];
      value.textContent = this.latent[axis].toFixed(2);
    }
  }
}

const STRIP = 9;
const GRID = 7;
const FEW_AXES = 8;

class Explorer {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    this.shape = this.data.shape;
    this.labels = this.data.labels && indicesOf(this.data.labels);
    this.picked = [];
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.sheet = new Image();
    const models = this.data.models.map((packed) => modelOf(packed, this.data.count));
    this.ready = new Promise((resolve) => {
      this.sheet.addEventListener('load', () => {
        const columns = [...root.querySelectorAll('.model')];
        this.views = models.map((model, i) => new View(columns[i], model, this));
        this.controls();
        this.changed();
        root.dataset.ready = '';
        resolve(this);
      });
    });
    this.sheet.src = `data:image/png;base64,${this.data.thumbnails.png}`;
    onTheme.push(() => this.views && this.colour(this.part('colour')?.value));
  }

  numberOf(i) {
    return this.data.numbers ? this.data.numbers[i] : i;
  }

  /** The name of an image: its number, and its class if known. */
  nameOf(i) {
    return this.labels ? `${this.numberOf(i)} (${this.data.classes[this.labels[i]].name})` : `${this.numberOf(i)}`;
  }

  /** Draws the thumbnail of an image into a square. */
  thumbnail(context, i, x, y, side) {
    const { columns, width, height } = this.data.thumbnails;
    const scale = side / Math.max(width, height);
    context.imageSmoothingEnabled = scale < 1;
    const [left, top] = [(i % columns) * width, Math.floor(i / columns) * height];
    context.drawImage(this.sheet, left, top, width, height, x, y, width * scale, height * scale);
  }

  say(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.part('status').textContent = text; }, 400);
  }

  // --- Selection --------------------------------------------------------------------------------

  toggle(i) {
    if (i < 0) return;
    if (this.picked.includes(i)) this.picked = this.picked.filter((other) => other !== i);
    else this.picked = [...this.picked, i].slice(-4);
    for (const view of this.views) view.decodeImage(i);
    this.changed();
  }

  drop() {
    this.picked = [];
    this.changed();
  }

  changed() {
    for (const view of this.views) {
      view.map.picked = this.picked;
      view.map.draw();
      view.traverse(this.picked);
    }
  }

  // --- Controls ---------------------------------------------------------------------------------

  controls() {
    const colour = this.part('colour');
    colour?.addEventListener('change', () => this.colour(colour.value));
    this.colour(colour?.value);
    const classes = this.part('classes');
    classes?.addEventListener('change', () => this.filter());
    const setAll = (checked) => {
      for (const box of classes.querySelectorAll('input')) box.checked = checked;
      this.filter();
    };
    this.part('all')?.addEventListener('click', () => setAll(true));
    this.part('none')?.addEventListener('click', () => setAll(false));
    const find = this.part('find');
    find.addEventListener('input', () => this.find(find.value));
    this.part('search').addEventListener('submit', (event) => {
      event.preventDefault();
      const [first] = this.matches(find.value);
      if (first === undefined) this.none();
      else this.goTo(first);
    });
  }

  filter() {
    const shown = new Set();
    for (const box of this.part('classes').querySelectorAll('input:checked')) shown.add(Number(box.value));
    for (const { map } of this.views) {
      map.visible.forEach((_, i) => { map.visible[i] = shown.has(this.labels[i]) ? 1 : 0; });
      map.draw();
    }
    this.say(`${shown.size} classes shown`);
  }

  colour(by) {
    for (const { map, model } of this.views) {
      map.colours = this.coloursOf(by, model);
      map.draw();
    }
    this.legend(by);
  }

  /** Red, green and blue for each image. */
  coloursOf(by, model) {
    const { count, classes, clusterColours } = this.data;
    const colours = new Uint8ClampedArray(3 * count);
    const fill = (palette, index) => {
      const channels = palette.map(channelsOf);
      for (let i = 0; i < count; i++) colours.set(channels[index(i)] ?? [128, 128, 128], 3 * i);
    };
    if (by === 'class') fill(classes.map((c) => c.colour), (i) => this.labels[i]);
    else if (by === 'cluster' && model.clusters) fill(clusterColours, (i) => model.clusters[i]);
    else if (by === 'error' && model.errors) {
      // From the smallest error to the 99th percentile, so that a few outliers do not take all the colours.
      const sorted = Float32Array.from(model.errors).sort();
      const [low, high] = [0, 0.99].map((q) => sorted[Math.floor(q * (count - 1))]);
      model.errorRange = [low, high];
      const ramp = this.ramp();
      const last = ramp.length - 1;
      const part = (i) => Math.min(Math.max((model.errors[i] - low) / (high - low || 1), 0), 1);
      fill(ramp, (i) => Math.round(part(i) * last));
    } else fill(['#808080'], () => 0);
    return colours;
  }

  /** Colours from the smallest to the largest error, in increasing contrast with the background. */
  ramp() {
    return isDark() ? this.data.errorColoursDark : this.data.errorColours;
  }

  legend(by) {
    const legend = this.part('legend');
    legend.hidden = by !== 'error';
    if (by !== 'error') return;
    const bar = document.createElement('span');
    bar.className = 'ramp';
    bar.style.background = `linear-gradient(to right, ${this.ramp().join(', ')})`;
    const ranges = this.views.filter((view) => view.model.errorRange).map(({ model }) => {
      const [low, high] = model.errorRange.map(digits);
      return `${model.name}: ${low} to ${high} or more`;
    });
    const text = document.createElement('span');
    text.textContent = ranges.join('; ');
    legend.replaceChildren(bar, text);
  }

  /** The images that match a search: the one with that number, then those whose file name contains the text. */
  matches(text) {
    const wanted = text.trim().toLowerCase();
    if (wanted === '') return [];
    const found = [];
    const { numbers, files, count } = this.data;
    if (/^\d+$/.test(wanted)) {
      const i = numbers ? numbers.indexOf(Number(wanted)) : Number(wanted);
      if (i >= 0 && i < count) found.push(i);
    }
    for (let i = 0; files && i < count && found.length < 8; i++)
      if (files[i].toLowerCase().includes(wanted) && !found.includes(i)) found.push(i);
    return found;
  }

  find(text) {
    const found = this.data.files ? this.matches(text) : [];
    this.part('found').replaceChildren(...found.map((i) => {
      const item = document.createElement('li');
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = `${this.numberOf(i)}  ${this.data.files[i]}`;
      button.addEventListener('click', () => this.goTo(i));
      item.append(button);
      return item;
    }));
  }

  /** Shows that a search found nothing. */
  none() {
    const item = document.createElement('li');
    item.textContent = 'No image found';
    this.part('found').replaceChildren(item);
    this.say('No image found');
  }

  /** Shows an image in every map, zoomed in so far that its neighbours are pictures. */
  goTo(i) {
    this.part('found').replaceChildren();
    for (const { map, model } of this.views) {
      map.hover(-1, 0, 0);
      map.centre = { x: model.map[2 * i], y: model.map[2 * i + 1] };
      map.zoom = Math.max(map.zoom, 6);
    }
    if (this.picked.includes(i)) for (const view of this.views) view.decodeImage(i);
    else this.toggle(i);
  }
}

// In the console: `document.querySelector('.explorer').explorer`.
for (const root of document.querySelectorAll('.explorer')) root.explorer = new Explorer(root);

