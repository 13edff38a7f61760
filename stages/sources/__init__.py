"""The live sources of images on the web, one file each, and the manifest that they list images into.

This room may import `web` and `core`. A person's command lists the images of live sources into a manifest, a CSV file
that `collect.source` names. A live source is a module with

    class Entry(params.Section)             the params of one listing: the keys of an item of
                                            `collect.listings.<class>` without `source`, the module's name
    listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]
                                            the images that the source offers for the class. Only the client asks the
                                            source (PRAW for `reddit`). `source_id` is the same in every listing, `url`
                                            is the address of the image itself.

A source takes secrets from the environment only, and sends them as headers; no row that it lists holds a secret. The
step `collect` reads folders and archives, and the command `manifest` downloads archives of Kaggle.
"""
