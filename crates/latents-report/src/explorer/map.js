// The map: a canvas of points that can be moved, zoomed and clicked. It has positions and colours, but no models or latents.

/** The red, green and blue of a colour `#rrggbb`. */
const channelsOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** The coverage of the pixels around the centre of a disc, from 0 to 1. */
const stampOf = (radius) => {
  const reach = Math.ceil(radius);
  const side = 2 * reach + 1;
  const cover = Float32Array.from({ length: side * side }, (_, i) => {
    const distance = Math.hypot((i % side) - reach, Math.floor(i / side) - reach);
    return Math.min(Math.max(radius + 0.5 - distance, 0), 1);
  });
  return { reach, side, cover };
};

class PointMap {
  /**
   * `points` are the x and y of each point, `extent` their centre and half side; `picture(context, i, x, y, side)` draws the picture
   * of a point. The handlers in `on` are called when the reader hovers, clicks, moves the handle or clears the selection.
   */
  constructor(canvas, points, extent, picture, on) {
    Object.assign(this, { canvas, points, extent, picture, on });
    this.context = canvas.getContext('2d', { willReadFrequently: true });
    this.count = points.length / 2;
    this.colours = null; // red, green and blue of each point
    this.visible = new Uint8Array(this.count).fill(1);
    this.picked = [];
    this.hovered = -1;
    this.handle = { x: extent.x, y: extent.y };
    this.pointers = new Map();
    this.whole();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  // --- Positions --------------------------------------------------------------------------------

  /** Shows the whole map. */
  whole() {
    this.centre = { x: this.extent.x, y: this.extent.y };
    this.zoom = 1;
    this.draw();
  }

  /** CSS pixels per unit of the map. */
  get scale() {
    return (this.zoom * Math.min(this.width, this.height) * 0.46) / this.extent.half;
  }

  get width() { return this.canvas.clientWidth || 1; }
  get height() { return this.canvas.clientHeight || 1; }

  /** Position of a point of the map on the canvas, in CSS pixels. On the map, y points up. */
  toCanvas(x, y) {
    return [this.width / 2 + (x - this.centre.x) * this.scale, this.height / 2 - (y - this.centre.y) * this.scale];
  }

  toMap(x, y) {
    return [this.centre.x + (x - this.width / 2) / this.scale, this.centre.y - (y - this.height / 2) / this.scale];
  }

  /** Zooms by a factor about a point of the canvas. */
  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.toMap(x, y);
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.5), 400);
    const after = this.toMap(x, y);
    this.centre.x += before[0] - after[0];
    this.centre.y += before[1] - after[1];
    this.draw();
  }

  panBy(dx, dy) {
    const { half } = this.extent;
    const within = (v, middle) => Math.min(Math.max(v, middle - 1.2 * half), middle + 1.2 * half);
    this.centre.x = within(this.centre.x - dx / this.scale, this.extent.x);
    this.centre.y = within(this.centre.y + dy / this.scale, this.extent.y);
    this.draw();
  }

  /** Moves the handle to a point of the map, and brings it into view. */
  moveHandle(x, y) {
    this.handle = { x, y };
    const [left, top] = this.toCanvas(x, y);
    if (left < 0 || top < 0 || left > this.width || top > this.height) this.centre = { x, y };
    this.draw();
  }

  /** The visible point nearest to a point of the canvas, within some pixels; -1 if there is none. */
  pointNear(x, y, within = 12) {
    let [best, found] = [within * within, -1];
    const [mx, my] = this.toMap(x, y);
    const unit = this.scale * this.scale;
    for (let i = 0; i < this.count; i++) {
      if (!this.visible[i]) continue;
      const d = ((this.points[2 * i] - mx) ** 2 + (this.points[2 * i + 1] - my) ** 2) * unit;
      if (d < best) [best, found] = [d, i];
    }
    return found;
  }

  // --- Drawing ----------------------------------------------------------------------------------

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (width !== this.canvas.width || height !== this.canvas.height) {
      Object.assign(this.canvas, { width, height });
      this.image = null;
    }
    this.draw();
  }

  /** Draws once with the next frame, however many changes there are. */
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.drawNow();
    });
  }

  drawNow() {
    if (!this.colours || this.canvas.clientWidth === 0) return;
    const start = performance.now();
    const ratio = this.canvas.width / this.width;
    const { backgroundColor: ground, color: ink } = getComputedStyle(this.canvas);
    this.drawPoints(ratio, ground.match(/\d+/g).map(Number));
    const { context } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawPictures(context);
    this.drawMarks(context, ink, ground);
    this.frameTime = performance.now() - start;
  }

  /** Radius of a dot in CSS pixels: smaller if there are many. */
  get radius() {
    const crowded = Math.min(Math.max(90 / Math.sqrt(this.count), 1.5), 4);
    return Math.min(crowded * Math.sqrt(this.zoom) ** 0.8, 6);
  }

  /** Draws all dots, blended by hand: ten thousand calls to draw a circle are too slow for a smooth motion. */
  drawPoints(ratio, ground) {
    const { width, height } = this.canvas;
    this.image ??= this.context.createImageData(width, height);
    const { data } = this.image;
    new Uint32Array(data.buffer).fill((255 << 24) | (ground[2] << 16) | (ground[1] << 8) | ground[0]);
    const { reach, side, cover } = stampOf(this.radius * ratio);
    const scale = this.scale * ratio;
    const [left, top] = this.toCanvas(0, 0).map((v) => v * ratio);
    for (let i = 0; i < this.count; i++) {
      if (!this.visible[i]) continue;
      const x = Math.round(left + this.points[2 * i] * scale);
      const y = Math.round(top - this.points[2 * i + 1] * scale);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const [r, g, b] = [this.colours[3 * i], this.colours[3 * i + 1], this.colours[3 * i + 2]];
      for (let row = 0, c = 0; row < side; row++) {
        let at = ((y + row - reach) * width + x - reach) * 4;
        for (let column = 0; column < side; column++, c++, at += 4) {
          const alpha = cover[c] * 0.82;
          if (alpha === 0) continue;
          data[at] += (r - data[at]) * alpha;
          data[at + 1] += (g - data[at + 1]) * alpha;
          data[at + 2] += (b - data[at + 2]) * alpha;
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Draws pictures instead of dots if there are few enough in view. */
  drawPictures(context) {
    const inView = [];
    for (let i = 0; i < this.count; i++) {
      if (!this.visible[i]) continue;
      const [x, y] = this.toCanvas(this.points[2 * i], this.points[2 * i + 1]);
      if (x < -20 || y < -20 || x > this.width + 20 || y > this.height + 20) continue;
      inView.push([i, x, y]);
      if (inView.length > 160) return;
    }
    const side = Math.min(Math.max(Math.sqrt((this.width * this.height) / (inView.length + 1)) * 0.4, 18), 44);
    for (const [i, x, y] of inView) {
      const colour = `rgb(${this.colours.subarray(3 * i, 3 * i + 3).join(' ')})`;
      context.fillStyle = colour;
      context.fillRect(x - side / 2 - 1.5, y - side / 2 - 1.5, side + 3, side + 3);
      this.picture(context, i, x - side / 2, y - side / 2, side);
    }
  }

  drawMarks(context, ink, ground) {
    const ring = (x, y, radius, width, colour) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      Object.assign(context, { lineWidth: width, strokeStyle: colour });
      context.stroke();
    };
    const place = (i) => this.toCanvas(this.points[2 * i], this.points[2 * i + 1]);
    if (this.hovered >= 0) ring(...place(this.hovered), this.radius + 3, 2, ink);
    context.font = '600 11px Inter, system-ui, sans-serif';
    Object.assign(context, { textAlign: 'center', textBaseline: 'middle' });
    this.picked.forEach((i, place_) => {
      const [x, y] = place(i);
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.fillStyle = ink;
      context.fill();
      ring(x, y, 10, 2, ground);
      context.fillStyle = ground;
      context.fillText('ABCD'[place_], x, y + 0.5);
    });
    const [x, y] = this.toCanvas(this.handle.x, this.handle.y);
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.fillStyle = '#ffffff';
    context.fill();
    ring(x, y, 8, 3, '#1a1a1a');
    ring(x, y, 10.5, 1.5, '#ffffff');
    context.beginPath();
    context.arc(x, y, 2, 0, 2 * Math.PI);
    context.fillStyle = '#1a1a1a';
    context.fill();
  }

  // --- Input ------------------------------------------------------------------------------------

  listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      this.zoomBy(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), ...at(event));
    }, { passive: false });
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      const [x, y] = at(event);
      this.pointers.set(event.pointerId, [x, y]);
      const [hx, hy] = this.toCanvas(this.handle.x, this.handle.y);
      const onHandle = Math.hypot(x - hx, y - hy) < (event.pointerType === 'touch' ? 24 : 14);
      this.drag = { x, y, moved: false, handle: this.pointers.size === 1 && onHandle };
      this.hover(-1, x, y);
    });
    canvas.addEventListener('pointermove', (event) => this.pointerMoved(event, at(event)));
    canvas.addEventListener('pointerup', (event) => {
      const [x, y] = at(event);
      const clicked = this.drag && !this.drag.moved && this.pointers.size === 1;
      this.pointers.delete(event.pointerId);
      if (!clicked || this.drag.handle) return;
      const i = this.pointNear(x, y);
      if (i >= 0) this.on.click(i);
    });
    canvas.addEventListener('pointercancel', (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener('pointerleave', () => this.hover(-1, 0, 0));
    canvas.addEventListener('dblclick', (event) => this.dragHandle(...at(event)));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  pointerMoved(event, [x, y]) {
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      const [hx, hy] = this.toCanvas(this.handle.x, this.handle.y);
      const onHandle = Math.hypot(x - hx, y - hy) < 14;
      this.canvas.style.cursor = onHandle ? 'move' : '';
      this.hover(onHandle ? -1 : this.pointNear(x, y), x, y);
      return;
    }
    if (Math.hypot(x - this.drag.x, y - this.drag.y) > 4) this.drag.moved = true;
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const distance = (place) => Math.max(Math.hypot(place[0] - other[0], place[1] - other[1]), 1);
      this.drag.moved = true;
      this.zoomBy(distance([x, y]) / distance(last), (x + other[0]) / 2, (y + other[1]) / 2);
      this.panBy((x - last[0]) / 2, (y - last[1]) / 2);
    } else if (this.drag.handle) {
      this.dragHandle(x, y);
    } else if (this.drag.moved) {
      this.panBy(x - last[0], y - last[1]);
    }
    this.pointers.set(event.pointerId, [x, y]);
  }

  dragHandle(x, y) {
    const within = (v, most) => Math.min(Math.max(v, 0), most);
    const place = this.toMap(within(x, this.width), within(y, this.height));
    this.moveHandle(...place);
    this.on.move(...place);
  }

  hover(i, x, y) {
    if (i === this.hovered && i < 0) return;
    if (i !== this.hovered) {
      this.hovered = i;
      this.draw();
    }
    this.on.hover(i, x, y);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [x, y] = this.toCanvas(this.handle.x, this.handle.y);
    const acts = {
      '+': () => this.zoomBy(1.4),
      '=': () => this.zoomBy(1.4),
      '-': () => this.zoomBy(1 / 1.4),
      '0': () => this.whole(),
      Enter: () => this.on.click(this.pointNear(x, y, Infinity)),
      ' ': () => this.on.click(this.pointNear(x, y, Infinity)),
      Escape: () => this.on.drop(),
    };
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) this.panBy(-40 * arrow[0], -40 * arrow[1]);
    else if (arrow) this.dragHandle(x + 8 * arrow[0], y + 8 * arrow[1]);
    else if (acts[event.key]) acts[event.key]();
    else return;
    event.preventDefault();
  }
}

