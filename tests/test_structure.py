"""The structure of the code: imports run one way, and files and functions stay small."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"fastrrae": ROOT / "fastrrae", "fastrrae_kernels": ROOT / "kernels" / "fastrrae_kernels"}

# From the bottom to the top; a module may import from its own line and the lines above it.
LAYERS = (
    ("errors", "versions"),
    ("atomic_files", "cache_folder", "checksums", "chips", "compilation_cache", "config_fields", "host_memory"),
    ("buckets",),
    ("config", "grammars"),
    ("data", "metrics", "networks", "objectives", "prepare", "fit", "folder_lock", "side_by_side"),
    ("processes",),
    ("models",),
    ("densities", "earlier_config", "export", "interpolation", "run_config", "surrogates", "traversal"),
    ("autoencoder_recipes", "string_recipes", "recipe", "recipes", "run_folder", "latent_summary"),
    ("training",),
    ("weights_file",),
    ("trained_model",),
    ("features", "run", "sklearn"),
    ("evaluation", "plan"),
    ("latent_optimisation",),
    ("reproduce", "explore", "sweeps"),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def sources(package):
    return sorted(path for path in PACKAGES[package].rglob("*.py"))


def module_of(path, package):
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(path, package):
    """The modules of the same package that a file imports anywhere in it, as tuples of names."""
    inside = module_of(path, package)
    folder = inside if path.name == "__init__.py" else inside[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = folder[: len(folder) - node.level + 1]
                names = (*base, *(node.module or "").split(".")) if node.module else base
                yield from [names] if node.module else [(*base, alias.name) for alias in node.names]
            elif node.module and node.module.split(".")[0] == package:
                yield tuple(node.module.split(".")[1:])


def test_every_module_has_a_layer():
    tops = {module_of(path, "fastrrae")[0] for path in sources("fastrrae") if module_of(path, "fastrrae")}
    assert tops == set(LEVEL)


@pytest.mark.parametrize("path", sources("fastrrae"), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_upwards(path):
    own = module_of(path, "fastrrae")
    if not own:
        return  # the face of the package
    for imported in imports_of(path, "fastrrae"):
        if imported and imported[0] in LEVEL and imported[0] != own[0]:
            assert LEVEL[imported[0]] <= LEVEL[own[0]], f"{'.'.join(own)} imports {'.'.join(imported)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package):
    files = {module_of(path, package): path for path in sources(package)}
    graph = {}
    for module, path in files.items():
        if path.name == "__init__.py":
            continue  # a face imports what is in its folder, and what is there does not import the face
        targets = set()
        for imported in imports_of(path, package):
            found = next((imported[:n] for n in range(len(imported), 0, -1) if imported[:n] in files), None)
            if found and files[found].name != "__init__.py":
                targets.add(found)
        graph[module] = targets
    done, active = set(), []

    def visit(module):
        assert module not in active, " -> ".join(".".join(part) for part in [*active, module])
        if module in done:
            return
        active.append(module)
        for target in graph.get(module, ()):
            visit(target)
        active.pop()
        done.add(module)

    for module in graph:
        visit(module)


def test_the_kernels_know_arrays_only():
    for path in sources("fastrrae_kernels"):
        text = path.read_text(encoding="utf-8")
        assert "import flax" not in text
        assert "from fastrrae " not in text
        assert "import fastrrae\n" not in text


def _length_without_docstring(node):
    documented = ast.get_docstring(node) is not None
    return node.end_lineno - node.lineno + 1 - (node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0)


@pytest.mark.parametrize("package", PACKAGES)
def test_files_and_functions_are_small(package):
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in sources(package)]
    assert 60 <= median(length for length in lengths if length > 20) <= 120
    assert max(lengths) <= 350
    functions = [
        _length_without_docstring(node)
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert max(functions) <= 60
    assert median(functions) <= 8
    assert quantiles(functions, n=10)[-1] <= 25
