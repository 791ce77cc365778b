//! Many rows as they are answered together: column by column, in one list, so that a single row costs one allocation.

use crate::domain::value::Value;

/// Values of several rows: those of the first input for every row, then those of the second, and so on.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    values: Vec<Value>,
    inputs: usize,
    rows: usize,
}

impl Columns {
    /// So many columns of so many values, none of them given.
    #[must_use]
    pub fn missing(inputs: usize, rows: usize) -> Self {
        Self { values: vec![Value::Missing; inputs.saturating_mul(rows)], inputs, rows }
    }

    /// From rows of `inputs` values each, one row after the other. What is over at the end is left out.
    #[must_use]
    pub fn of_rows(values: Vec<Value>, inputs: usize) -> Self {
        let rows = values.len().checked_div(inputs).unwrap_or(0);
        if rows == 1 && values.len() == inputs {
            return Self { values, inputs, rows };
        }
        let mut columns = Self::missing(inputs, rows);
        for (at, value) in values.into_iter().take(inputs.saturating_mul(rows)).enumerate() {
            let (row, input) = (at / inputs.max(1), at % inputs.max(1));
            if let Some(place) = columns.values.get_mut(input * rows + row) {
                *place = value;
            }
        }
        columns
    }

    /// From one list a column; nothing when they are not all of one length.
    #[must_use]
    pub fn of_lists(lists: Vec<Vec<Value>>) -> Option<Self> {
        let (inputs, rows) = (lists.len(), lists.first().map_or(0, Vec::len));
        let is_even = lists.iter().all(|list| list.len() == rows);
        is_even.then(|| Self { values: lists.into_iter().flatten().collect(), inputs, rows })
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The columns, in the order of the inputs; none when there is no row.
    pub fn iter(&self) -> impl Iterator<Item = &[Value]> {
        self.values.chunks_exact(self.rows.max(1))
    }

    /// The column of one input.
    pub fn column_mut(&mut self, input: usize) -> Option<&mut [Value]> {
        let start = input.checked_mul(self.rows)?;
        self.values.get_mut(start..start.checked_add(self.rows)?)
    }

    /// One row, in the order of the inputs.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<Value> {
        self.iter().map(|column| column.get(row).cloned().unwrap_or(Value::Missing)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_lists_and_columns_say_the_same(inputs in 1_usize..6, rows in 0_usize..9) {
            let value = |row: usize, input: usize| Value::Integer((row * 10 + input) as i64);
            let flat = (0..rows).flat_map(|row| (0..inputs).map(move |input| value(row, input))).collect();
            let of_rows = Columns::of_rows(flat, inputs);
            let list = |input| (0..rows).map(|row| value(row, input)).collect();
            let of_lists = Columns::of_lists((0..inputs).map(list).collect());
            prop_assert_eq!(Some(&of_rows), of_lists.as_ref());
            let mut filled = Columns::missing(inputs, rows);
            for input in 0..inputs {
                for (row, place) in filled.column_mut(input).unwrap().iter_mut().enumerate() {
                    *place = value(row, input);
                }
            }
            prop_assert_eq!(&filled, &of_rows);
            for row in 0..rows {
                prop_assert_eq!(of_rows.row(row), (0..inputs).map(|at| value(row, at)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn lists_of_different_lengths_are_no_columns() {
        assert_eq!(Columns::of_lists(vec![vec![Value::Missing], vec![]]), None);
        assert_eq!(Columns::of_lists(Vec::new()), Some(Columns::missing(0, 0)));
        assert_eq!(Columns::of_rows(Vec::new(), 0), Columns::missing(0, 0));
    }
}
