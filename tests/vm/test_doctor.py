# SPDX-License-Identifier: GPL-2.0-or-later
"""doctor finds all that -p needs; what it found is shown, whatever the result."""

import pytest

import ioprof_run


@pytest.mark.vm
def test_doctor_is_content(capfd):
    doctor = ioprof_run.run("doctor")
    with capfd.disabled():
        print(f"\n{doctor.stdout}{doctor.stderr}")
    assert doctor.returncode == 0
