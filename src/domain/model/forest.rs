//! The mean of the leaves of regression trees. Absent: fitting, classification by vote, and the walk (`trees`).

use std::fmt;

use super::ModelError;
use super::trees::{Leaves, Node, Trees};

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
    /// `columns` is longer than the columns in use: the one after them becomes the leaves' own.
    pub(super) fn probability<const WIDTH: usize>(&self, columns: &mut [f64; WIDTH]) -> f64 {
        self.trees.fold(columns, 0.0, |sum, leaf| sum + leaf) / f64::from(self.trees.count())
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

impl fmt::Debug for Forest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trees, nodes, columns) = (self.trees.count(), self.trees.nodes(), self.trees.columns());
        write!(f, "Forest({trees} trees, {nodes} nodes, {columns} columns)")
    }
}
