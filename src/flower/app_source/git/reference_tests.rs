use super::*;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const THREE: &str = "3333333333333333333333333333333333333333";

fn refs(list: &[(&str, &str)]) -> Refs {
    let mut refs = Refs::default();
    for (name, id) in list {
        refs.add(name, Oid::from_str(id).unwrap());
    }
    refs.set_default(Some("refs/heads/main".to_owned()));
    refs
}

#[test]
fn names_are_branches_tags_or_full() {
    let refs = refs(&[
        ("HEAD", ONE),
        ("refs/heads/main", ONE),
        ("refs/pull/7/head", THREE),
        ("refs/tags/v1", TWO),
        ("refs/tags/v1^{}", THREE),
    ]);
    for (name, full, id) in [
        (None, "refs/heads/main", ONE),
        (Some("main"), "refs/heads/main", ONE),
        (Some("v1"), "refs/tags/v1", THREE),
        (Some("refs/tags/v1"), "refs/tags/v1", THREE),
        (Some("pull/7/head"), "refs/pull/7/head", THREE),
    ] {
        let found = refs.find("x", name).unwrap();
        assert_eq!(
            (found.name.as_str(), found.target.to_string().as_str()),
            (full, id)
        );
    }
    assert_eq!(
        refs.name_of(Oid::from_str(TWO).unwrap()),
        Some("refs/tags/v1")
    );
}

#[test]
fn branch_and_tag_of_one_name_are_told_apart() {
    let differ = refs(&[("refs/heads/v1", ONE), ("refs/tags/v1", TWO)]);
    let error = differ.find("x", Some("v1")).unwrap_err();
    assert!(matches!(error, GitError::AmbiguousRef { meanings, .. } if meanings.len() == 2));
    let same = refs(&[("refs/heads/v1", ONE), ("refs/tags/v1", ONE)]);
    assert_eq!(same.find("x", Some("v1")).unwrap().name, "refs/heads/v1");
}

#[test]
fn a_missing_name_lists_at_most_ten_similar_ones() {
    let similar = |refs: &Refs, name| match refs.find("x", Some(name)) {
        Err(GitError::RefNotFound { similar, .. }) => similar,
        other => panic!("{other:?}"),
    };
    let few = refs(&[
        ("refs/heads/main", ONE),
        ("refs/heads/release", ONE),
        ("refs/tags/v1.0", ONE),
    ]);
    assert_eq!(similar(&few, "mian"), ["main"]);
    assert_eq!(similar(&few, "production"), ["main", "release", "v1.0"]);
    assert_eq!(similar(&few, "Main"), ["main"]);
    assert_eq!(similar(&few, "realease"), ["release"]);
    assert_eq!(similar(&few, "v1.0.1"), ["v1.0"]);
    let many: Vec<String> = (0..500)
        .map(|n| format!("refs/heads/feature-{n}"))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), ONE)).collect();
    assert_eq!(similar(&refs(&many), "feature").len(), 10);
}

#[test]
fn ids_and_bad_names_are_recognised() {
    let parsed = |text| GitRef::parse(Some(text));
    assert_eq!(GitRef::parse(None).unwrap(), GitRef::Default);
    assert_eq!(parsed("HEAD").unwrap(), GitRef::Default);
    let upper = "ABCDEF0123456789ABCDEF0123456789ABCDEF01";
    assert_eq!(parsed(upper).unwrap().to_string(), upper.to_lowercase());
    assert_eq!(
        parsed("abcdef0").unwrap(),
        GitRef::Name("abcdef0".to_owned())
    );
    for bad in [
        "",
        "a b",
        "a..b",
        "-x\n",
        "x.lock",
        "refs/",
        "a~1",
        "a:b",
        "a\0b",
        &"a".repeat(64),
    ] {
        assert!(
            matches!(parsed(bad), Err(GitError::BadRef { .. })),
            "{bad:?}"
        );
    }
}
