//! Contributions are Shapley values, to the last digits: by the definition over all subsets.

use proptest::prelude::*;

use super::*;

/// What a tree gives on average when only the players of `known` are: by the shares of the covers elsewhere.
fn expected(tree: &[Node], covers: &[f64], at: usize, row: &[f64], known: u32, players: &[u16]) -> f64 {
    match tree[at] {
        Node::Leaf(value) => value,
        Node::Split { column, threshold, low, high } if known >> players[column] & 1 == 1 => {
            let next = if row[column] <= threshold { low } else { high };
            expected(tree, covers, next, row, known, players)
        }
        Node::Split { low, high, .. } => {
            let share = share(covers[low], covers[high]);
            share * expected(tree, covers, low, row, known, players)
                + (1.0 - share) * expected(tree, covers, high, row, known, players)
        }
    }
}

fn by_definition(tree: &[Node], covers: &[f64], row: &[f64], players: &[u16], count: u32) -> Vec<f64> {
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let value = |known| expected(tree, covers, 0, row, known, players);
    (0..count)
        .map(|player| {
            let others = (0..1_u32 << count).filter(|known| known >> player & 1 == 0);
            others
                .map(|known| {
                    let size = known.count_ones();
                    let weight = factorial(size) * factorial(count - size - 1) / factorial(count);
                    weight * (value(known | 1 << player) - value(known))
                })
                .sum()
        })
        .collect()
}

fn some_tree() -> impl Strategy<Value = (Vec<Node>, Vec<f64>)> {
    let split = (any::<prop::sample::Index>(), 0..6_usize, -2.0..2.0_f64, -5.0..5.0_f64, 0..=8_u8);
    proptest::collection::vec(split, 0..40).prop_map(|splits| {
        let mut tree = vec![Node::Leaf(0.5)];
        let mut covers = vec![64.0];
        for (which, column, threshold, value, eighths) in splits {
            let leaves: Vec<_> = (0..tree.len()).filter(|at| matches!(tree[*at], Node::Leaf(_))).collect();
            let at = leaves[which.index(leaves.len())];
            tree[at] = Node::Split { column, threshold, low: tree.len(), high: tree.len() + 1 };
            tree.extend([Node::Leaf(value), Node::Leaf(-2.0 * value + 1.0)]);
            // From nobody to everybody going low.
            let low = covers[at] * f64::from(eighths) / 8.0;
            covers.extend([low, covers[at] - low]);
        }
        (tree, covers)
    })
}

proptest! {
    #[test]
    fn contributions_are_the_shapley_values_of_the_definition(
        (tree, covers) in some_tree(),
        row in proptest::collection::vec(-2.5..2.5_f64, 6),
    ) {
        // Columns 4 and 5 are two views of one player.
        let players = [0, 1, 2, 3, 4, 4];
        let shap = Shap::new(std::slice::from_ref(&tree), std::slice::from_ref(&covers), &players, 5).unwrap();
        let mut found = vec![0.0; 5];
        shap.add(&row, &mut found);
        let wanted = by_definition(&tree, &covers, &row, &players, 5);
        for (found, wanted) in found.iter().zip(&wanted) {
            prop_assert!((found - wanted).abs() < 1e-10, "{found} {wanted}");
        }
        let base = expected(&tree, &covers, 0, &row, 0, &players);
        prop_assert!((shap.base() - base).abs() < 1e-10);
    }

    #[test]
    fn deep_paths_still_add_up(thresholds in proptest::collection::vec(-1.0..1.0_f64, 60), seed in 0..40_usize) {
        // A chain over 40 columns, some of them twice: the deepest rule.
        let mut tree = Vec::new();
        let mut covers = vec![1e6];
        for (level, threshold) in thresholds.iter().enumerate() {
            let column = (level * 7 + seed) % 40;
            tree.push(Node::Split { column, threshold: *threshold, low: 2 * level + 1, high: 2 * level + 2 });
            tree.push(Node::Leaf(level as f64));
            let here = covers[2 * level];
            covers.extend([here * 0.1, here * 0.9]);
        }
        tree.push(Node::Leaf(-3.0));
        let players: Vec<u16> = (0..40).collect();
        let shap = Shap::new(std::slice::from_ref(&tree), &[covers], &players, 40).unwrap();
        let row: Vec<f64> = (0..40).map(|at| if at == seed { -2.0 } else { 2.0 }).collect();
        let mut found = vec![0.0; 40];
        shap.add(&row, &mut found);
        let mut at = 0;
        let value = loop {
            match tree[at] {
                Node::Leaf(value) => break value,
                Node::Split { column, threshold, low, high } => {
                    at = if row[column] <= threshold { low } else { high };
                }
            }
        };
        let total = shap.base() + found.iter().sum::<f64>();
        prop_assert!((total - value).abs() < 1e-9, "{total} {value}");
    }
}

#[test]
fn covers_of_other_trees_are_refused() {
    let tree =
        vec![Node::Split { column: 0, threshold: 0.0, low: 1, high: 2 }, Node::Leaf(0.0), Node::Leaf(1.0)];
    let check = |covers: &[Vec<f64>], players: &[u16]| {
        Shap::new(std::slice::from_ref(&tree), covers, players, 1).unwrap_err().to_string()
    };
    assert_eq!(check(&[], &[0]), "covers: they are for another number of trees or columns");
    assert_eq!(check(&[vec![2.0, 1.0]], &[0]), "covers: they are for another number of nodes");
    assert_eq!(check(&[vec![2.0, f64::NAN, 1.0]], &[0]), "covers: one is not a finite number from 0");
    assert_eq!(
        check(&[vec![2.0, 1.0, 1.0]], &[1]),
        "covers: they are for another number of trees or columns"
    );
}
