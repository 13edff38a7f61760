"""The tensors of an ONNX file: which of them its output depends on, and which of them not on the image."""

import onnx

OWN = ("", "ai.onnx")  # the names of ONNX's own operations in a file
LEAST_IR = 4  # of the file format, in which weights need not be inputs


def keep_needed(proto: onnx.ModelProto) -> None:
    """Take out of a file what its outputs do not depend on, and out of its inputs what are weights."""
    graph, names = proto.graph, needed(proto)
    weights = [tensor for tensor in graph.initializer if tensor.name in names]
    sparse = [tensor for tensor in graph.sparse_initializer if tensor.values.name in names]
    own = {tensor.name for tensor in weights} | {tensor.values.name for tensor in sparse}
    nodes = [node for node in graph.node if names.intersection(node.output)]
    inputs = [each for each in graph.input if each.name in names - own]
    used = {node.domain for node in nodes}
    versions = [each for each in proto.opset_import if each.domain in used or each.domain in OWN]
    del graph.node[:], graph.initializer[:], graph.sparse_initializer[:], graph.input[:], graph.value_info[:]
    del proto.opset_import[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    graph.sparse_initializer.extend(sparse)
    graph.input.extend(inputs)
    proto.opset_import.extend(versions)
    proto.ir_version = max(proto.ir_version, LEAST_IR)


def needed(proto: onnx.ModelProto) -> set[str]:
    """Return the names of all tensors that the outputs depend on."""
    makers = {name: node for node in proto.graph.node for name in node.output if name}
    found: set[str] = set()
    waiting = [output.name for output in proto.graph.output]
    while waiting:
        name = waiting.pop()
        if name and name not in found:  # An input that is left out has an empty name.
            found.add(name)
            waiting += makers[name].input if name in makers else []
    return found


def constants(proto: onnx.ModelProto) -> set[str]:
    """Return the names of the tensors that do not depend on the image: weights, and what is computed of them alone."""
    found = {tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:  # in an order in which each comes after those that it needs
        if {name for name in node.input if name} <= found:
            found |= {*node.output}
    return found
