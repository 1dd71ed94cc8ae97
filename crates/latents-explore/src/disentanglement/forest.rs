//! Decision trees and forests of them that classify rows (Breiman et al., "Classification and Regression Trees", 1984; Breiman, "Random
//! Forests", 2001), as far as the scores need them. Sums are in double precision and a fixed order, so that results do not depend on
//! threads.

use latents_progress::Monitor;
use latents_random::{Purpose, stream};
use rayon::prelude::*;

use crate::error::Error;
use crate::metrics::latents::largest;
use crate::rows::Rows;

/// Trees of a forest.
const TREES: u64 = 20;
/// A leaf has at least one of so many parts of the rows that a class has on average, so that few rows are told apart by noise.
const LEAVES: usize = 10;
/// What rounding may change of the purity of a split, by its size: of two that are as good, the first is taken.
const ROUNDING: f64 = 1e-12;

/// Rows `[n, d]` with their classes, made ready for trees.
pub(super) struct Samples {
    /// The columns `[d][n]`.
    columns: Vec<Vec<f32>>,
    /// The rows in the order of each column `[d][n]`.
    orders: Vec<Vec<u32>>,
    /// The class of each row, and how many classes there are.
    classes: Vec<u16>,
    count: usize,
    /// The weight of each row of a class, such that all classes have the same weight.
    weights: Vec<f64>,
    /// The least rows of a leaf.
    pub(super) leaf: usize,
}

impl Samples {
    pub(super) fn new(rows: Rows<'_>, classes: &[u16], count: usize) -> Self {
        let n = rows.len();
        let columns: Vec<Vec<f32>> =
            (0..rows.dim()).map(|c| rows.iter().map(|row| row[c]).collect()).collect();
        let order = |column: &Vec<f32>| {
            let mut order: Vec<u32> = (0..n as u32).collect();
            let key = |&i: &u32| column[i as usize];
            order.sort_by(|a, b| key(a).total_cmp(&key(b)));
            order
        };
        let orders = columns.par_iter().map(order).collect();
        let mut weights = vec![0.0f64; count];
        for &class in classes {
            weights[usize::from(class)] += 1.0;
        }
        for weight in &mut weights {
            *weight = if *weight > 0.0 { n as f64 / (count as f64 * *weight) } else { 0.0 };
        }
        let leaf = (n / (LEAVES * count)).max(1);
        Samples { columns, orders, classes: classes.to_vec(), count, weights, leaf }
    }
}

/// A part of a tree.
enum Node {
    /// The share of each class.
    Leaf(Vec<f64>),
    /// Rows whose value in a column is at most a threshold go to the first node, others to the second.
    Split { column: usize, threshold: f64, below: usize, above: usize },
}

/// A decision tree.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The decrease of impurity by each column `[d]`.
    importances: Vec<f64>,
}

/// Grows a tree.
struct Growth<'a> {
    samples: &'a Samples,
    /// The weight of each row.
    weights: Vec<f64>,
    tree: Tree,
}

/// The best place to divide the rows of a node.
struct Best {
    column: usize,
    threshold: f64,
    /// The sum over both sides of the squared weights of classes by the weight of the side.
    purity: f64,
}

impl Tree {
    /// A tree of all rows; or of some of them, each with its number of copies `[n]`.
    pub(super) fn grow(samples: &Samples, copies: Option<&[u32]>) -> Self {
        let weight = |(i, &class): (usize, &u16)| {
            samples.weights[usize::from(class)] * copies.map_or(1.0, |copies| f64::from(copies[i]))
        };
        let weights: Vec<f64> = samples.classes.iter().enumerate().map(weight).collect();
        let has = |i: &u32| copies.is_none_or(|copies| copies[*i as usize] > 0);
        let orders: Vec<Vec<u32>> =
            samples.orders.iter().map(|o| o.iter().copied().filter(has).collect()).collect();
        let tree = Tree { nodes: vec![], importances: vec![0.0; samples.columns.len()] };
        let mut growth = Growth { samples, weights, tree };
        growth.node(&orders);
        growth.tree
    }

    /// The share of each class in the leaf of a row.
    fn shares(&self, row: &[f32]) -> &[f64] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(shares) => return shares,
                Node::Split { column, threshold, below, above } => {
                    at = if f64::from(row[*column]) <= *threshold { *below } else { *above };
                }
            }
        }
    }

    /// The class of a row: the one with the largest share.
    pub(super) fn predict(&self, row: &[f32]) -> u16 {
        largest_class(self.shares(row))
    }

    /// The part of the decrease of impurity that each column makes `[d]`; all 0 if there is none.
    pub(super) fn importances(&self) -> Vec<f64> {
        shares(&self.importances)
    }
}

impl Growth<'_> {
    /// Adds the node of some rows, in the order of each column, and all nodes below it.
    fn node(&mut self, orders: &[Vec<u32>]) -> usize {
        let mut totals = vec![0.0; self.samples.count];
        for &i in &orders[0] {
            totals[self.class(i)] += self.weights[i as usize];
        }
        let at = self.tree.nodes.len();
        self.tree.nodes.push(Node::Leaf(shares(&totals)));
        let (squares, weight) = squares_and_weight(&totals);
        let purity = squares / weight;
        let least = purity + ROUNDING * weight;
        let best = self.best(orders, &totals, squares);
        let Some(best) = best.filter(|best| best.purity > least) else {
            return at;
        };
        let Best { column, threshold, .. } = best;
        self.tree.importances[column] += best.purity - purity;
        let values = &self.samples.columns[column];
        let (below, above): (Vec<_>, Vec<_>) = orders
            .iter()
            .map(|order| {
                order
                    .iter()
                    .partition::<Vec<u32>, _>(|&&i| f64::from(values[i as usize]) <= threshold)
            })
            .unzip();
        let (below, above) = (self.node(&below), self.node(&above));
        self.tree.nodes[at] = Node::Split { column, threshold, below, above };
        at
    }

    fn class(&self, row: u32) -> usize {
        usize::from(self.samples.classes[row as usize])
    }

    /// The first of the best places, if there is any that leaves enough rows on both sides.
    fn best(&self, orders: &[Vec<u32>], totals: &[f64], squares: f64) -> Option<Best> {
        let leaf = self.samples.leaf;
        let weight = totals.iter().sum::<f64>();
        let mut best: Option<Best> = None;
        for (column, order) in orders.iter().enumerate() {
            let values = &self.samples.columns[column];
            let value = |place: usize| f64::from(values[order[place] as usize]);
            let (mut below, mut above) = (vec![0.0; totals.len()], totals.to_vec());
            // Weights and squared weights of both sides.
            let (mut w, mut s) = ([0.0, weight], [0.0, squares]);
            for place in 0..order.len().saturating_sub(leaf) {
                let (class, moved) =
                    (self.class(order[place]), self.weights[order[place] as usize]);
                s[0] += moved * (2.0 * below[class] + moved);
                s[1] -= moved * (2.0 * above[class] - moved);
                below[class] += moved;
                above[class] -= moved;
                w = [w[0] + moved, w[1] - moved];
                let (x, next) = (value(place), value(place + 1));
                if place + 1 < leaf || x >= next {
                    continue;
                }
                let purity = s[0] / w[0] + s[1] / w[1];
                if best.as_ref().is_none_or(|best| purity > best.purity * (1.0 + ROUNDING)) {
                    let middle = f64::midpoint(x, next);
                    best = Some(Best { column, threshold: middle, purity });
                }
            }
        }
        best
    }
}

/// A forest: trees of bootstrap samples.
pub(super) struct Forest(Vec<Tree>);

impl Forest {
    pub(super) fn fit(samples: &Samples, seed: u64, monitor: &Monitor) -> Result<Self, Error> {
        let n = samples.classes.len();
        let tree = |number: u64| {
            monitor.check()?;
            let mut draws = stream(seed, Purpose::Resample, number, 3);
            let mut copies = vec![0; n];
            for _ in 0..n {
                copies[draws.below(n as u32) as usize] += 1;
            }
            Ok(Tree::grow(samples, Some(&copies)))
        };
        Ok(Forest((0..TREES).into_par_iter().map(tree).collect::<Result<_, Error>>()?))
    }

    /// The class of a row: the one with the largest mean share.
    pub(super) fn predict(&self, row: &[f32]) -> u16 {
        largest_class(&sums(self.0.iter().map(|tree| tree.shares(row))))
    }

    /// The mean importance of each column `[d]`, with a sum of 1, or all 0.
    pub(super) fn importances(&self) -> Vec<f64> {
        let all: Vec<Vec<f64>> = self.0.iter().map(Tree::importances).collect();
        shares(&sums(all.iter().map(Vec::as_slice)))
    }
}

/// The sums of lists, place by place.
fn sums<'a>(lists: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let mut sums: Vec<f64> = vec![];
    for list in lists {
        sums.resize(list.len(), 0.0);
        sums.iter_mut().zip(list).for_each(|(sum, x)| *sum += x);
    }
    sums
}

/// Numbers by their sum; all 0 if that is 0.
fn shares(numbers: &[f64]) -> Vec<f64> {
    let total = numbers.iter().sum::<f64>();
    numbers.iter().map(|x| if total > 0.0 { x / total } else { 0.0 }).collect()
}

/// The class with the largest share, the first of several.
fn largest_class(shares: &[f64]) -> u16 {
    largest(shares, 1)[0] as u16
}

/// The sum of squares and the sum.
fn squares_and_weight(totals: &[f64]) -> (f64, f64) {
    (totals.iter().map(|t| t * t).sum(), totals.iter().sum())
}
