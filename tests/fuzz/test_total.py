def test_the_suite_tries_at_least_2000_inputs(inputs):
    assert sum(inputs.values()) >= 2000
