//! Sets of points of a space as unions of boxes, exact up to a bound on their number; and what a condition does at
//! each point: hold, not hold, or fail because something is missing.

use super::space::Atoms;

/// More boxes than this are not followed.
pub const MOST_BOXES: usize = 64;

/// Points whose values lie in these atoms; an axis that is not named takes any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Area(pub Vec<(usize, Atoms)>);

/// A union of boxes; no boxes, no points.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Union(pub Vec<Area>);

/// Too many boxes to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Area {
    #[must_use]
    pub fn on(&self, axis: usize) -> Option<&Atoms> {
        self.0.iter().find(|(at, _)| *at == axis).map(|(_, atoms)| atoms)
    }

    /// The points of both; `None` where there are none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let mut both: Vec<(usize, Atoms)> = Vec::with_capacity(self.0.len() + other.0.len());
        for (axis, atoms) in &self.0 {
            let atoms = match other.on(*axis) {
                Some(others) => atoms.intersection(others),
                None => atoms.clone(),
            };
            if atoms.is_empty() {
                return None;
            }
            both.push((*axis, atoms));
        }
        both.extend(other.0.iter().filter(|(axis, _)| self.on(*axis).is_none()).cloned());
        both.sort_by_key(|(axis, _)| *axis);
        Some(Self(both))
    }

    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().all(|(axis, atoms)| other.on(*axis).is_some_and(|others| atoms.covers(others)))
    }

    /// Both as one area, where they differ on one axis only.
    fn joined(&self, other: &Self, sizes: &[u32]) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let mut differs = None;
        for (at, ((a, left), (b, right))) in self.0.iter().zip(&other.0).enumerate() {
            if a != b || left != right && differs.replace(at).is_some() {
                return None;
            }
        }
        let mut joined = self.0.clone();
        if let Some(at) = differs
            && let (Some(axis), Some((_, more))) = (joined.get_mut(at), other.0.get(at))
        {
            axis.1 = axis.1.union(more);
            if sizes.get(axis.0).is_some_and(|size| axis.1.is_all(*size)) {
                joined.remove(at);
            }
        }
        Some(Self(joined))
    }
}

impl Union {
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Area::default()])
    }

    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What one axis says.
    #[must_use]
    pub fn of_axis(axis: usize, atoms: Atoms, sizes: &[u32]) -> Self {
        if atoms.is_empty() {
            return Self::none();
        }
        if sizes.get(axis).is_some_and(|size| atoms.is_all(*size)) {
            return Self::all();
        }
        Self(vec![Area(vec![(axis, atoms)])])
    }

    pub fn intersection(&self, other: &Self, sizes: &[u32]) -> Result<Self, TooMany> {
        let mut found = Self::none();
        for a in &self.0 {
            for b in &other.0 {
                if let Some(both) = a.intersection(b) {
                    found.add(both, sizes)?;
                }
            }
        }
        Ok(found)
    }

    pub fn union(mut self, other: &Self, sizes: &[u32]) -> Result<Self, TooMany> {
        for area in &other.0 {
            self.add(area.clone(), sizes)?;
        }
        Ok(self)
    }

    fn add(&mut self, area: Area, sizes: &[u32]) -> Result<(), TooMany> {
        let mut area = area;
        loop {
            if self.0.iter().any(|known| known.covers(&area)) {
                return Ok(());
            }
            let found = self.0.iter().enumerate().find_map(|(at, k)| Some((at, k.joined(&area, sizes)?)));
            match found {
                Some((at, joined)) => {
                    self.0.remove(at);
                    area = joined;
                }
                None => break,
            }
        }
        if self.0.len() >= MOST_BOXES {
            return Err(TooMany);
        }
        self.0.push(area);
        Ok(())
    }

    /// The points, whatever these axes say.
    #[must_use]
    pub fn forgetting(mut self, forgotten: impl Fn(usize) -> bool) -> Self {
        for area in &mut self.0 {
            area.0.retain(|(axis, _)| !forgotten(*axis));
        }
        self
    }
}

/// What a condition does: the points where it holds, where it does not, and where it fails. Where it is not exact,
/// each is at most too large.
#[derive(Debug, Clone)]
pub struct Region {
    pub holds: Union,
    pub misses: Union,
    pub fails: Union,
    pub is_exact: bool,
}

impl Region {
    #[must_use]
    pub fn unknown() -> Self {
        Self { holds: Union::all(), misses: Union::all(), fails: Union::all(), is_exact: false }
    }

    #[must_use]
    pub fn constant(holds: bool) -> Self {
        let (all, none) = (Union::all(), Union::none());
        let (holds, misses) = if holds { (all, none) } else { (none, all) };
        Self { holds, misses, fails: Union::none(), is_exact: true }
    }

    #[must_use]
    pub fn inverted(self) -> Self {
        Self { holds: self.misses, misses: self.holds, ..self }
    }

    /// `self && next`: what comes next is reached only where this holds.
    #[must_use]
    pub fn and(self, next: &Self, sizes: &[u32]) -> Self {
        let mut is_exact = self.is_exact && next.is_exact;
        let mut bounded = |made: Result<Union, TooMany>, otherwise: &Union| {
            made.unwrap_or_else(|TooMany| {
                is_exact = false;
                otherwise.clone()
            })
        };
        let reached = |part: &Union| self.holds.intersection(part, sizes);
        let either = |own: &Union, part: &Union| own.clone().union(&reached(part)?, sizes);
        let holds = bounded(reached(&next.holds), &self.holds);
        let misses = bounded(either(&self.misses, &next.misses), &Union::all());
        let fails = bounded(either(&self.fails, &next.fails), &Union::all());
        Self { holds, misses, fails, is_exact }
    }

    /// `self || next`
    #[must_use]
    pub fn or(self, next: &Self, sizes: &[u32]) -> Self {
        self.inverted().and(&next.clone().inverted(), sizes).inverted()
    }
}
