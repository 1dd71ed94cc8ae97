// The decoder: layers with the semantics and layouts of PyTorch, one sample at a time.

/**
 * erf with an error below 1.2e-7: the Chebyshev fit of erfc from Numerical Recipes (Press et al., 1992, section 6.2).
 */
const erf = (x) => {
  const z = Math.abs(x);
  const t = 1 / (1 + z / 2);
  const fit = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
  ];
  const erfc = t * Math.exp(-z * z + fit.reduceRight((sum, c) => sum * t + c, 0));
  return x >= 0 ? 1 - erfc : erfc - 1;
};

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const ACTIVATIONS = {
  relu: () => (x) => Math.max(x, 0),
  leaky_relu: ({ slope }) => (x) => (x > 0 ? x : slope * x),
  silu: () => (x) => x * sigmoid(x),
  gelu: () => (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  sigmoid: () => sigmoid,
  tanh: () => Math.tanh,
  clip: () => (x) => Math.min(Math.max(x, 0), 1),
  // Mean as a function of the logit (Loaiza-Ganem and Cunningham, 2019), by its series near zero.
  continuous_bernoulli_mean: () => (x) => (Math.abs(x) < 0.1 ? 0.5 + x / 12 - x ** 3 / 720 : 1 / (1 - Math.exp(-x)) - 1 / x),
};

/** These kinds only act in training. */
const identity = () => (x) => x;

/** Each kind gives a function from its input, and the class that the decoder is given, to its output. */
const LAYERS = {
  dropout: identity,
  noise: identity,
  squared_norm: identity,
  mmd_penalty: identity,
  log_scale: identity,
  reshape: identity,

  // A constant channel for each class: the value for the given one, 0 for the others.
  condition({ features, value }, _, [channels, h, w]) {
    return (x, given) => {
      const y = new Float32Array((channels + features) * h * w);
      y.set(x);
      return y.fill(value, (channels + given) * h * w, (channels + given + 1) * h * w);
    };
  },

  linear(_, { weight, bias }, input, [features]) {
    return (x) => products(weight, x, features, 1, bias);
  },

  // Each number of the output is a product of the weights with the part of the input under the kernel.
  conv2d({ kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw] }, { weight, bias }, [channels, h, w], [outputs, oh, ow]) {
    const size = channels * kh * kw;
    return (x) => {
      const parts = new Float32Array(oh * ow * size);
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) {
          const [firstRow, lastRow] = reach(i - ph, sh, h, oh);
          const [first, last] = reach(j - pw, sw, w, ow);
          for (let row = firstRow; row < lastRow; row++)
            for (let column = first; column < last; column++) {
              let from = (row * sh + i - ph) * w + column * sw + j - pw;
              let to = (row * ow + column) * size + i * kw + j;
              for (let c = 0; c < channels; c++, from += h * w, to += kh * kw) parts[to] = x[from];
            }
        }
      return products(weight, parts, outputs, oh * ow, bias);
    };
  },

  // Every input pixel adds its weighted kernel to the output, except for the part that the padding cuts off.
  conv_transpose2d({ kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw] }, { weight, bias }, [channels, h, w], [outputs, oh, ow]) {
    const turned = transposed(weight, channels);
    const none = new Float32Array(outputs * kh * kw);
    return (x) => {
      const added = products(turned, transposed(x, channels), outputs * kh * kw, h * w, none);
      const y = new Float32Array(outputs * oh * ow);
      for (let o = 0; o < outputs; o++) {
        y.fill(bias[o], o * oh * ow, (o + 1) * oh * ow);
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const [firstRow, lastRow] = reach(i - ph, sh, oh, h);
            const [first, last] = reach(j - pw, sw, ow, w);
            for (let row = firstRow; row < lastRow; row++) {
              const from = (((o * kh + i) * kw + j) * h + row) * w;
              const to = (o * oh + row * sh + i - ph) * ow + j - pw;
              for (let column = first; column < last; column++) y[to + column * sw] += added[from + column];
            }
          }
      }
      return y;
    };
  },

  batch_norm2d({ epsilon }, { weight, bias, running_mean: mean, running_var: variance }, [channels, h, w]) {
    return (x) => {
      const y = new Float32Array(x.length);
      for (let c = 0; c < channels; c++) {
        const scale = weight[c] / Math.sqrt(variance[c] + epsilon);
        const shift = bias[c] - mean[c] * scale;
        for (let i = c * h * w; i < (c + 1) * h * w; i++) y[i] = x[i] * scale + shift;
      }
      return y;
    };
  },
};

/**
 * `weight` [outputs, size] times the transposed `parts` [count, size], plus `bias` [outputs]: [outputs, count]. Four outputs by two parts at a
 * time, so that each number that is read is used several times.
 */
const products = (weight, parts, outputs, count, bias) => {
  const size = parts.length / count;
  const y = new Float32Array(outputs * count);
  for (let o = 0; o < outputs; o += 4)
    for (let p = 0; p < count; p += 2) {
      // A tile at an edge repeats the last output or part.
      const [o0, o1, o2, o3] = [o, o + 1, o + 2, o + 3].map((at) => Math.min(at, outputs - 1));
      const q = Math.min(p + 1, count - 1);
      let [w0, w1, w2, w3, a, b] = [o0 * size, o1 * size, o2 * size, o3 * size, p * size, q * size];
      let [s0, s1, s2, s3, t0, t1, t2, t3] = [bias[o0], bias[o1], bias[o2], bias[o3], bias[o0], bias[o1], bias[o2], bias[o3]];
      for (const end = a + size; a < end; a++, b++, w0++, w1++, w2++, w3++) {
        const u = parts[a];
        const v = parts[b];
        const k0 = weight[w0];
        const k1 = weight[w1];
        const k2 = weight[w2];
        const k3 = weight[w3];
        s0 += k0 * u;
        s1 += k1 * u;
        s2 += k2 * u;
        s3 += k3 * u;
        t0 += k0 * v;
        t1 += k1 * v;
        t2 += k2 * v;
        t3 += k3 * v;
      }
      y[o0 * count + p] = s0;
      y[o1 * count + p] = s1;
      y[o2 * count + p] = s2;
      y[o3 * count + p] = s3;
      y[o0 * count + q] = t0;
      y[o1 * count + q] = t1;
      y[o2 * count + q] = t2;
      y[o3 * count + q] = t3;
    }
  return y;
};

/** The transposed matrix of one with some rows. */
const transposed = (matrix, rows) => {
  const columns = matrix.length / rows;
  return Float32Array.from(matrix, (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]);
};

/** The range of `k` in [0, count) for which `k * stride + offset` is in [0, size), as first and end. */
const reach = (offset, stride, size, count) => [
  Math.max(0, Math.ceil(-offset / stride)),
  Math.min(count, Math.floor((size - 1 - offset) / stride) + 1),
];

/** A function that applies layers one after another. */
const chainOf = (layers, weights) => {
  const steps = layers.map(({ spec, input, output, parameters, branch, shortcut }) => {
    if (spec.kind === "residual") {
      const [added, kept] = [chainOf(branch, weights), chainOf(shortcut, weights)];
      return (x, given) => {
        const y = kept(x, given);
        return added(x, given).map((v, i) => v + y[i]);
      };
    }
    const named = Object.entries(parameters).map(([name, [at, length]]) => [name, weights.subarray(at, at + length)]);
    if (LAYERS[spec.kind]) return LAYERS[spec.kind](spec, Object.fromEntries(named), input, output);
    const activation = ACTIVATIONS[spec.kind](spec);
    return (x) => x.map(activation);
  });
  return (x, given) => steps.reduce((y, step) => step(y, given), x);
};

/** A function from a latent vector, and the number of a class if the decoder is given one, to an image, channel by channel. */
const decoderOf = ({ layers, weights }) => chainOf(layers, halvesOf(weights));

