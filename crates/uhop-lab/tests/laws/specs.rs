use uhop_lab::{Contender, CorruptionKind, Spec, Specification as _, contribution, specification};

use crate::common::{SMALL, noise, rows, small};

/// Each change to a sound specification is one line with the file, the line and the key.
#[test]
fn what_is_no_specification_is_one_line() {
    let cases = [
        ("seeds = 3", "seeds = 0", "seeds: expected a whole number above 0, found 0"),
        ("seeds = 3", "seeds = -1", "seeds: expected a whole number above 0, found -1"),
        ("seeds = 3", "seeds = 1.5", "floating point `1.5`, expected a whole number above 0"),
        ("n_patterns = [4, 7]", "n_patterns = [0, 7]", "a whole number above 0, found 0"),
        ("seeds = 3", "seeds = 'x'", "seeds: "),
        ("seeds = 3", "sedes = 3", "sedes: unknown field `sedes`"),
        ("seeds = 3\n", "", ": missing field `seeds`"),
        ("seeds = 3", "seeds = 3\nseeds = 4", "seeds: duplicate key"),
        ("seeds = 3", "seeds = ", "seeds: "),
        ("name = \"small\"", "name = \"a b\"", "name: expected a name of a-z, 0-9 and -"),
        (
            "datasets = [\"mnist\"]",
            "datasets = [\"minst\"]",
            "datasets: unknown data set \"minst\"",
        ),
        ("axis = \"n_patterns\"", "axis = \"time\"", "axis: unknown variant `time`"),
        ("n_patterns = [4, 7]", "n_patterns = [7, 4]", "n_patterns: expected rising whole numbers"),
        ("n_patterns = [4, 7]", "n_patterns = [4, 4]", "n_patterns: number 2 is there twice"),
        ("n_patterns = [4, 7]", "n_patterns = []", "n_patterns: expected at least one"),
        ("\"query\", \"dense\"", "\"query\", \"dens\"", "unknown variant `dens`"),
        ("\"query\", \"dense\"", "\"query\", \"query\"", "number 2 is there twice"),
        ("cosine = 10.0", "cosine = 0.0", "betas: expected a β above 0 for cosine, found 0"),
        ("cosine = 10.0", "cosinus = 10.0", "unknown variant `cosinus`"),
        ("max_rate = 10.0", "max_rate = inf", "max_rate: expected a number above 0, found inf"),
        (
            "steps = [5]",
            "steps = [5]\ndim_features = 0",
            "dim_features: expected a whole number above 0",
        ),
        ("steps = [5]", "steps = [5, 6]", "steps: with decaying-rate there is one number of steps"),
        (
            "average_rate",
            "average_batch = 1\naverage_rate",
            "average_batch: expected at least 2, which make a pair, found 1",
        ),
        (
            "average_rate",
            "average_batch = 0\naverage_rate",
            "average_batch: expected a whole number above 0",
        ),
        ("levels = [0.5]", "levels = [-0.5]", "levels: expected rising numbers from 0 up"),
        ("levels = [0.5]", "levels = [nan]", "levels: expected rising numbers from 0 up"),
        ("levels = [0.5]\n", "", "levels: gaussian-norm needs levels"),
        (
            "kind = \"half-mask\"",
            "kind = \"half-mask\"\nlevels = [1.0]",
            "levels: half-mask has no",
        ),
        ("\"beta-outside\"", "\"beta-inside\"", "unknown variant `beta-inside`"),
        ("name = \"fair\"", "name = \"paper\"", "protocol: two are called paper"),
        ("name = \"fair\"", "name = \"bayes\"", "protocol: bayes is what rows of the limit have"),
        ("from = 0.1", "from = 1000.0", "tuned: expected from ≤ to, found 1000 and 100"),
        ("points = 4", "points = 0", "expected a whole number above 0"),
        ("points = 4", "points = 1001", "points: expected at most 1000, found 1001"),
        ("queries = 3", "queries = 9000000000", "queries: expected at most 1000000000"),
        ("title = \"t\"", "title = \" \"", "title: expected one line of text, found \" \""),
        ("title = \"t\"", "title = \"a\\nb\"", "title: expected one line of text"),
        ("seeds = 3", "seeds = 10001", "seeds: expected at most 10000, found 10001"),
        ("seeds = 1", "seeds = 99999999999999", "seeds: expected at most 10000"),
        ("[4, 7]", "[4, 9223372036854775807]", "n_patterns: expected at most 1000000000"),
        ("[4, 7]", "[4, 9223372036854775808]", "n_patterns: "),
        ("steps = [5]", "steps = [2000000000]", "steps: expected at most 1000000000"),
        ("recall_threshold", "queries = 2000000000\nrecall_threshold", "queries: expected at most"),
        ("\"cosine\",\n", "\n", "without: cosine is not among the contenders"),
        ("cosine = 10.0", "channel = 10.0", "betas: channel is not among the contenders"),
        ("cosine = 10.0", "query = 10.0", "betas: query takes no β from here"),
        ("cosine = 10.0", "polynomial-10 = 10.0", "betas: polynomial-10 takes no β from here"),
        ("cosine = 10.0", "dense-matched-max = 2.0", "betas: dense-matched-max takes no β"),
    ];
    for (sound, broken, expected) in cases {
        assert!(SMALL.contains(sound), "{sound}");
        let text = SMALL.replacen(sound, broken, 1);
        let error = Spec::parse(&text, "s.toml").unwrap_err();
        let message = error.to_string();
        assert!(error.is_input() && message.lines().count() == 1, "{message}");
        assert!(
            message.starts_with("s.toml:") && message.contains(expected),
            "{broken}: {message}"
        );
        let line = message.split(':').nth(1).unwrap().parse::<usize>().unwrap();
        assert!(line >= 1 && line <= text.lines().count(), "{message}");
    }
    // The line of the value, not of the start.
    let error = Spec::parse(&SMALL.replacen("seeds = 3", "seeds = 0", 1), "s.toml").unwrap_err();
    let line = 1 + SMALL.lines().position(|line| line == "seeds = 3").unwrap();
    assert!(error.to_string().starts_with(&format!("s.toml:{line}: seeds: ")), "{error}");
}

/// In tables of one line as in those of many, and nowhere what is missing from the whole.
#[test]
fn problems_are_where_they_are_written() {
    let head = SMALL.split_once("[[corruption]]").unwrap().0;
    let tables = "
[quick]
seeds = 1
";
    let short = |corruption: &str, protocols: &str| {
        let top = format!("corruption = [\n  {corruption},\n]\nprotocol = [\n{protocols}]\n");
        let (before, after) = head.split_once("[stage1]").unwrap();
        format!("{before}{top}[stage1]{after}{tables}")
    };
    let of_one = |corruption: &str| short(corruption, "  { name = \"d1\" },\n");
    assert!(Spec::parse(&of_one("{ kind = \"half-mask\" }"), "s.toml").is_ok());
    for (text, part, expected) in [
        (of_one("{ kind = \"half-mask\", levels = [1.5] }"), "levels = [1.5]", "levels: half-mask"),
        (of_one("{ kind = \"hlaf-mask\" }"), "hlaf-mask", "kind: unknown variant"),
        (of_one("{ kind = \"half-mask\", level = [1.5] }"), "half-mask", "level: unknown field"),
        (
            of_one("{ kind = \"gaussian-std\", levels = [-1.0] }"),
            "gaussian-std",
            "levels: expected",
        ),
        (
            short("{ kind = \"half-mask\" }", "  { name = \"d1\", defects = [\"beta\"] },\n"),
            "defects =",
            "defects: unknown variant",
        ),
        (
            short(
                "{ kind = \"half-mask\" }",
                "  { name = \"d1\" },\n  { name = \"d1\", defects = [\"beta-outside\"] },\n",
            ),
            "protocol = [",
            "protocol: two are called d1",
        ),
    ] {
        let line = 1 + text.lines().position(|line| line.contains(part)).unwrap();
        let error = Spec::parse(&text, "s.toml").unwrap_err().to_string();
        assert!(error.starts_with(&format!("s.toml:{line}: {expected}")), "{error}");
    }
    // Words of a title are no keys.
    let titled =
        of_one("{ kind = \"half-mask\", levels = [1.5] }").replace("\"t\"", "\"all levels\"");
    let line = 1 + titled.lines().position(|line| line.contains("levels = [1.5]")).unwrap();
    let error = Spec::parse(&titled, "s.toml").unwrap_err().to_string();
    assert!(error.starts_with(&format!("s.toml:{line}: levels: half-mask")), "{error}");
    let missing = Spec::parse(&SMALL.replace("[quick]\nseeds = 1\n", ""), "s.toml").unwrap_err();
    assert_eq!(missing.to_string(), "s.toml:1: missing field `quick`");
}

/// A longer run on batches does not begin with a shorter one, as `steps` of several numbers would have it.
#[test]
fn batches_are_of_one_number_of_steps() {
    let batches = |text: &str| text.replacen("average_rate", "average_batch = 4\naverage_rate", 1);
    assert!(Spec::parse(&batches(SMALL), "s.toml").is_ok());
    let steps = SMALL.replace("steps = [5]", "steps = [5, 6]").replace("\"decaying-rate\",", "");
    assert!(Spec::parse(&steps, "s.toml").is_ok());
    let error = Spec::parse(&batches(&steps), "s.toml").unwrap_err().to_string();
    assert!(error.contains("steps: with average_batch there is one number of steps"), "{error}");
    let contribution = specification("contribution").unwrap();
    let error =
        contribution::Spec::parse(&batches(contribution), "c.toml").unwrap_err().to_string();
    assert!(error.contains("steps: with average_batch there is one number of steps"), "{error}");
}

/// Without a contender that learns, what is said of Stage I changes nothing, and steps are no axis.
#[test]
fn stage_one_needs_a_contender_that_learns() {
    let (before, rest) = SMALL.split_once("contenders = [").unwrap();
    let (_, after) = rest.split_once(']').unwrap();
    let of = |contenders: &str| {
        let text = format!("{before}contenders = [{contenders}]{after}");
        text.replace("without = [\"squared-euclidean\", \"cosine\"]\n", "")
            .replace("\"decaying-rate\",", "")
            .replace("betas = { cosine = 10.0 }\n", "")
    };
    let with = |text: &str, key: &str| text.replace("steps = [5]", &format!("steps = [5]\n{key}"));
    let problem = |text: &str| Spec::parse(text, "s.toml").unwrap_err().to_string();
    let (plain, max, average) =
        (of("'dense'"), of("'dense-matched-max'"), of("'uhop-dense-average'"));
    for text in [&plain, &with(&max, "dim_features = 2"), &with(&average, "average_batch = 2")] {
        assert!(Spec::parse(text, "s.toml").is_ok(), "{text}");
    }
    let error = problem(&with(&plain, "dim_features = 2"));
    assert!(error.contains("dim_features: no contender learns by Stage I"), "{error}");
    let error = problem(&with(&max, "average_batch = 2"));
    assert!(error.contains("average_batch: no contender learns by the average loss"), "{error}");
    let of_steps = |text: &str| text.replace("axis = \"n_patterns\"", "axis = \"steps\"");
    assert!(Spec::parse(&of_steps(&average), "s.toml").is_ok());
    let error = problem(&of_steps(&plain));
    assert!(error.contains("contenders: protocol published leaves nobody that learns"), "{error}");
    let fair = |text: &str, without: &str| {
        text.replace("tuned =", &format!("without = [{without}]\ntuned ="))
    };
    let both = of_steps(&of("'dense', 'uhop-dense-max'"));
    let error = problem(&fair(&both, "'uhop-dense-max'"));
    assert!(error.contains("without: protocol fair leaves nobody that learns"), "{error}");
    let error = problem(&fair(&of("'dense', 'sparse'"), "'dense', 'sparse'"));
    assert!(error.contains("without: protocol fair leaves nobody to compare"), "{error}");
}

#[test]
fn a_missing_file_and_an_unknown_name_are_named() {
    let error = Spec::read("no/such.toml".as_ref(), "noise").unwrap_err();
    assert!(error.to_string().starts_with("no/such.toml: cannot read: "), "{error}");
    let error = Spec::shipped("nosie").unwrap_err();
    assert!(error.to_string().contains("there are memory-size, memory-size-large"), "{error}");
}

#[test]
fn a_quick_run_is_smaller_and_otherwise_the_same() {
    let spec = Spec::shipped("memory-size").unwrap();
    let quick = spec.quick();
    assert_eq!((spec.seeds, quick.seeds), (20, 3));
    assert_eq!(spec.n_patterns, [10, 20, 30, 50, 100, 200, 500]);
    assert_eq!(quick.n_patterns, [10, 30, 100]);
    assert_eq!(quick.contenders, spec.contenders);
    assert!(spec.contenders.contains(&Contender::UhopSparseMax));
    for name in
        Spec::names().filter(|name| name.starts_with("memory-size") || name.starts_with("noise"))
    {
        assert_eq!(Spec::shipped(name).unwrap().quick().seeds, 3, "{name}");
    }
}

/// The released scripts fold and clamp their noise, by its norm as by its standard deviation.
#[test]
fn published_noise_is_folded() {
    for name in Spec::names() {
        let spec = Spec::shipped(name).unwrap();
        let is_published = spec.protocol.iter().any(|protocol| !protocol.defects.is_empty());
        let unfolded = spec.corruption.iter().find(|of| of.kind == CorruptionKind::GaussianNorm);
        assert!(!is_published || unfolded.is_none(), "{name}");
    }
}

/// What docs/experiments.md says is so: its example, its columns and its names.
#[test]
fn the_documentation_is_true() {
    let document = include_str!("../../../../docs/experiments.md");
    let example = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let spec = Spec::parse(example, "example.toml").unwrap();
    assert_eq!((spec.name.as_str(), spec.queries), ("memory-size", Some(500)));
    for text in Spec::names().map(|name| serde_json::to_value(Spec::shipped(name).unwrap())) {
        let value = text.unwrap();
        let lists = [&value["contenders"], &value["protocol"][0]["defects"], &value["datasets"]];
        for name in lists.iter().flat_map(|list| list.as_array().unwrap()) {
            assert!(document.contains(&format!("`{}`", name.as_str().unwrap())), "{name}");
        }
    }
    let row = rows(&small(), &noise()).remove(0);
    for column in serde_json::to_value(row).unwrap().as_object().unwrap().keys() {
        assert!(document.contains(&format!("`{column}`")), "{column}");
    }
}
