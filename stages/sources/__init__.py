"""Where images come from: one file for each kind of source.

What is on this machine is read as it is. `folder` and `archive` have two functions:

    listing(path) -> Iterator[Listed]       what there is, with its provenance; no image is read
    fetching(path, listed, max_bytes) -> Iterator[tuple[Listed, bytes | Failure]]
                                            each listed image's bytes, or why there are none, in any order

`path` is what `collect.source` names. What tells the kinds apart is the path itself: a folder, or an archive by its
ending; or a `manifest`, a CSV file, whose images are fetched from the web.

What is on the web is listed once, by a person's command, into such a manifest. A live source is a module with

    class Entry(params.Section)             the params of one listing: those of an item of `collect.listings.<class>`
                                            but `source`, the module's name
    listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]
                                            what the source offers for the class, asked for by the client alone (by
                                            PRAW for `reddit`); `source_id` is the same in every listing, `url` is the
                                            image's own

A source takes secrets from the environment only, and sends them as headers; no row that it gives holds one. `kaggle` is
no live source: it downloads an archive, for `collect.source` to name.
"""
