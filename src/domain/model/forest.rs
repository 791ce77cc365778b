//! The mean of the leaves of regression trees. Absent: fitting, classification by vote, and the walk (`trees`).

use std::fmt;

use super::ModelError;
use super::key::Key;
use super::trees::{Leaves, Node, Trees, rows_at_once};

/// A validated, flattened forest.
#[derive(Clone, PartialEq)]
pub struct Forest {
    trees: Trees,
}

impl Forest {
    /// Checks each tree (children forward and each with one parent, columns that exist, finite thresholds, leaves
    /// from 0 to 1, sizes) and flattens it breadth first.
    ///
    /// # Errors
    /// The first thing found wrong, with its tree and node.
    pub fn new(trees: &[Vec<Node>], columns: usize) -> Result<Self, ModelError> {
        Trees::new(trees, columns, super::MAX_COLUMNS, Leaves::Probabilities).map(|trees| Self { trees })
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.trees.columns()
    }

    #[must_use]
    pub fn trees(&self) -> u32 {
        self.trees.count()
    }

    /// Sums the leaves in the order of the trees and divides once, as the library that fitted them does.
    /// `columns` are fewer than `WIDTH`.
    pub(super) fn probability<const WIDTH: usize>(&self, columns: &[f64]) -> f64 {
        let mut keys = [Key::LEAST; WIDTH];
        fill(&mut keys, columns);
        self.trees.fold(&mut keys, 0.0, |sum, leaf| sum + leaf) / f64::from(self.trees.count())
    }

    /// As [`Forest::probability`] for rows of [`Forest::columns`] cells each, several rows at a time. As many as
    /// `into` holds.
    pub(super) fn probabilities(&self, cells: &[f64], into: &mut [f64]) {
        match self.columns() {
            0..=31 => self.probabilities_within::<32>(cells, into),
            32..=63 => self.probabilities_within::<64>(cells, into),
            64..=255 => self.probabilities_within::<256>(cells, into),
            256..=1023 => self.probabilities_within::<1024>(cells, into),
            _ => self.probabilities_within::<4096>(cells, into),
        }
    }

    fn probabilities_within<const WIDTH: usize>(&self, cells: &[f64], into: &mut [f64]) {
        let width = self.columns().max(1);
        let block = rows_at_once(WIDTH);
        let mut rows = vec![[Key::LEAST; WIDTH]; block.min(into.len())];
        for (cells, answers) in cells.chunks(width * block).zip(into.chunks_mut(block)) {
            for (columns, row) in cells.chunks_exact(width).zip(&mut rows) {
                fill(row, columns);
            }
            answers.fill(0.0);
            let rows = rows.get_mut(..answers.len()).unwrap_or_default();
            self.trees.fold_block(rows, answers, |sum, leaf| sum + leaf);
            for answer in answers {
                *answer /= f64::from(self.trees.count());
            }
        }
    }

    /// The trees again, breadth first.
    pub(super) fn nodes(&self) -> Vec<Vec<Node>> {
        self.trees.unflattened()
    }

    /// Counts one row at each node where it comes by.
    pub(super) fn visit(&self, columns: &[f64], covers: &mut Vec<Vec<f64>>) {
        self.trees.visit(columns, covers);
    }
}

fn fill(keys: &mut [Key], columns: &[f64]) {
    for (key, column) in keys.iter_mut().zip(columns) {
        *key = Key::of(*column);
    }
}

impl fmt::Debug for Forest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trees, nodes, columns) = (self.trees.count(), self.trees.nodes(), self.trees.columns());
        write!(f, "Forest({trees} trees, {nodes} nodes, {columns} columns)")
    }
}
