// Unpacks what pack.rs packed: typed arrays from base64.

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** 16-bit numbers. Assumes a little-endian machine, as all that run browsers are. */
const indicesOf = (base64) => new Uint16Array(bytesOf(base64).buffer);

/** A quantised table as floats, row by row. */
const tableOf = ({ bits, low, step, data }) => {
  const levels = bits === 8 ? bytesOf(data) : indicesOf(data);
  const columns = low.length;
  return Float32Array.from(levels, (level, i) => low[i % columns] + level * step[i % columns]);
};

/** IEEE 754 binary16 as floats: one sign bit, five bits of exponent, ten of fraction. */
const halvesOf = (base64) =>
  Float32Array.from(indicesOf(base64), (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });

/** One model of the explorer's data. */
const modelOf = (packed, count) => {
  const latents = tableOf(packed.latents);
  const dim = latents.length / count;
  const map = tableOf(packed.map);
  return {
    name: packed.name,
    dim,
    latents,
    map,
    errors: packed.errors && tableOf(packed.errors),
    clusters: packed.clusters && indicesOf(packed.clusters),
    axes: axesOf(latents, dim),
    extent: extentOf(map),
    decode: decoderOf(packed.decoder),
  };
};

/** Range and standard deviation of each latent dimension. */
const axesOf = (latents, dim) => {
  const count = latents.length / dim;
  return Array.from({ length: dim }, (_, axis) => {
    let [low, high, sum, squares] = [Infinity, -Infinity, 0, 0];
    for (let i = axis; i < latents.length; i += dim) {
      const v = latents[i];
      low = Math.min(low, v);
      high = Math.max(high, v);
      sum += v;
      squares += v * v;
    }
    const mean = sum / count;
    return { axis, low, high, deviation: Math.sqrt(Math.max(squares / count - mean * mean, 0)) };
  });
};

/** The square around all points of a map, as its centre and half side. */
const extentOf = (map) => {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < map.length; i += 2) {
    left = Math.min(left, map[i]);
    right = Math.max(right, map[i]);
    top = Math.min(top, map[i + 1]);
    bottom = Math.max(bottom, map[i + 1]);
  }
  return { x: (left + right) / 2, y: (top + bottom) / 2, half: Math.max(right - left, bottom - top, 1e-9) / 2 };
};

/**
 * The latent vector at a point of the map: the mean of the latents of the nearest images, weighted by the inverse of their squared
 * distance (Shepard, 1968). Returns the latent vector and the images, nearest first.
 */
const latentAt = (model, x, y, neighbours = 8) => {
  const nearest = []; // pairs of squared distance and image, ascending
  for (let i = 0; i < model.map.length / 2; i++) {
    const d = (model.map[2 * i] - x) ** 2 + (model.map[2 * i + 1] - y) ** 2;
    if (nearest.length === neighbours && d >= nearest[neighbours - 1][0]) continue;
    let at = nearest.length;
    while (at > 0 && nearest[at - 1][0] > d) at--;
    nearest.splice(at, 0, [d, i]);
    if (nearest.length > neighbours) nearest.pop();
  }
  // At the position of an image, only that image counts.
  const least = (model.extent.half * 1e-6) ** 2;
  const latent = new Float64Array(model.dim);
  let total = 0;
  for (const [d, i] of nearest) {
    const weight = 1 / (d + least);
    total += weight;
    for (let axis = 0; axis < model.dim; axis++) latent[axis] += weight * model.latents[i * model.dim + axis];
  }
  return { latent: Float32Array.from(latent, (v) => v / total), images: nearest.map(([, i]) => i) };
};

