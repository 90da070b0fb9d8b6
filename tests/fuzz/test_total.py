import pytest


def test_the_suite_tries_at_least_2000_inputs(request, inputs, tried):
    selected = {getattr(item, "originalname", "") for item in request.session.items}
    if not set(inputs) <= selected:
        pytest.skip("it counts what the whole fuzz suite has tried")
    assert set(tried) == set(inputs)
    assert sum(tried.values()) >= 2000
