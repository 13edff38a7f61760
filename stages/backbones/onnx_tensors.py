"""The tensors in an ONNX file: which it holds, also in branches and loops, and on which of them its output depends."""

from collections.abc import Iterable, Iterator

import onnx
from onnx import GraphProto, NodeProto, TensorProto


def tensors_in(proto: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield all tensors that the file holds: weights, constants, and those in branches, loops and functions."""
    yield from tensors_of_graph(proto.graph)
    for function in proto.functions:
        yield from tensors_of_nodes(function.node)


def tensors_of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield all tensors of a graph and of the graphs in it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from tensors_of_nodes(graph.node)


def tensors_of_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    """Yield all tensors in the attributes of nodes and in the graphs there."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for graph in graphs_of(node):
                yield from tensors_of_graph(graph)


def graphs_of(node: NodeProto) -> list[GraphProto]:
    """Return the branches or bodies of a node."""
    return [
        graph
        for attribute in node.attribute
        for graph in (attribute.g, *attribute.graphs)
        if graph.node or graph.output
    ]


def names_entering(node: NodeProto) -> set[str]:
    """Return the names of the tensors that a node uses, those that its branches take from outside included."""
    inner = {name for graph in graphs_of(node) for each in graph.node for name in names_entering(each)}
    inner |= {output.name for graph in graphs_of(node) for output in graph.output}
    return {*node.input} | inner


def needed(proto: onnx.ModelProto) -> set[str]:
    """Return the names of all tensors that the outputs depend on."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    found: set[str] = set()
    waiting = [output.name for output in proto.graph.output]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += names_entering(makers[name]) if name in makers else []
    return found


def keep_needed(proto: onnx.ModelProto) -> None:
    """Take out of a file what its outputs do not depend on; its inputs stay."""
    names, graph = needed(proto), proto.graph
    nodes = [node for node in graph.node if names.intersection(node.output)]
    weights = [tensor for tensor in graph.initializer if tensor.name in names]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)


def constants(proto: onnx.ModelProto) -> set[str]:
    """Return the names of the tensors that do not depend on the image: weights, and what is computed of them alone."""
    found = {tensor.name for tensor in proto.graph.initializer} | {
        tensor.values.name for tensor in proto.graph.sparse_initializer
    }
    given = {each.name for each in proto.graph.input} - found
    for node in proto.graph.node:  # in an order in which each comes after those that it needs
        entering = names_entering(node) - {""}
        if not entering & given and (entering <= found or node.op_type == "Constant"):
            found |= {*node.output}
    return found
