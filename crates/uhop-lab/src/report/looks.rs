//! A look for each model of each chart: one name looks the same in all of a document.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Block, Chart, Document, Role, Series};
use super::palette::{Look, look};

/// The looks of the models of every chart, by the chart's name.
pub(super) fn of(document: &Document) -> BTreeMap<&str, Vec<Look>> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut looks = BTreeMap::new();
    for block in document.sections().iter().flat_map(|section| section.blocks()) {
        if let Block::Chart(chart) = block {
            let slots = slots(chart, &mut known);
            looks.insert(chart.name(), slots.into_iter().map(look).collect());
        }
    }
    looks
}

/// A slot for each model, no two the same.
fn slots<'a>(chart: &'a Chart, known: &mut BTreeMap<&'a str, usize>) -> Vec<usize> {
    let models = || chart.series().iter().filter(|series| series.role() == Role::Model);
    let mut here: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for name in models().map(Series::name) {
        if let Some(&slot) = known.get(name)
            && taken.insert(slot)
        {
            here.insert(name, slot);
        }
    }
    for name in models().map(Series::name) {
        if here.contains_key(name) {
            continue;
        }
        let elsewhere: BTreeSet<usize> = known.values().copied().collect();
        let free = || (0..).filter(|slot| !taken.contains(slot));
        let slot = free()
            .take_while(|&slot| slot < 12)
            .find(|slot| !elsewhere.contains(slot))
            .or_else(|| free().next())
            .expect("there are more numbers than models");
        taken.insert(slot);
        here.insert(name, slot);
        known.entry(name).or_insert(slot);
    }
    models().map(|series| here[series.name()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Axis, Point, Scale, Section};

    fn chart(name: &str, models: &[&str]) -> Chart {
        let series = models
            .iter()
            .map(|model| Series::new(*model, Role::Model, vec![Point::at(0.0, 1.0)]).unwrap());
        let axis = || Axis::new("a", Scale::Linear).unwrap();
        Chart::new(name, "Title", "Caption.", axis(), axis(), series.collect()).unwrap()
    }

    #[test]
    fn a_name_looks_the_same_everywhere() {
        let section = Section::new("Results")
            .unwrap()
            .with(chart("a", &["dense", "sparse"]))
            .with(chart("b", &["cosine", "sparse", "dense"]));
        let document = Document::new("T", "L.").unwrap().with_section(section).unwrap();
        let looks = of(&document);
        assert_eq!(looks["a"], [look(0), look(1)]);
        assert_eq!(looks["b"], [look(2), look(1), look(0)]);
    }

    #[test]
    fn no_two_models_of_a_chart_look_the_same() {
        let names: Vec<String> = (0..24).map(|i| format!("model {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mixed: Vec<&str> = names.iter().step_by(2).copied().collect();
        let mut known = BTreeMap::new();
        let charts = [chart("a", &names[..12]), chart("b", &names[12..]), chart("c", &mixed)];
        for chart in &charts {
            let slots: BTreeSet<usize> = slots(chart, &mut known).into_iter().collect();
            assert_eq!(slots.len(), 12);
            assert!(slots.iter().all(|&slot| slot < 12), "{slots:?}");
        }
    }
}
