import pytest,time
@pytest.mark.parametrize("n",[50000,200000,400000])
async def test_x(house,n):
    client = await house.start()
    await client.until(await client.start("print('warm')", "w"))
    before = house.memory()
    t0=time.monotonic()
    job_id = await client.start(f"import os\nfor _ in range({n}): os.write(2, b'\\xff\\xfe\\x80loss=0.5\\xc3(\\n')")
    await client.until(job_id)
    print(n, (house.memory()-before)/1e6, time.monotonic()-t0)
