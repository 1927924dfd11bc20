import sys, traceback
from datetime import date
from candid_provider.emulator import EmulatorConfig, running
from candid_provider.emulator.endpoints import HANDLERS
from candid_provider.emulator.catalogue import endpoints
from tests.emulator.conftest import connected, sign_in
from tests.emulator.judge.office import Office
with running(EmulatorConfig(as_of=date(2026,3,15),encounters=300,patients=100,days=10,payers=23)) as em, connected(em) as http:
    o=Office(http); n=0
    for id in endpoints():
        if id not in HANDLERS or (len(sys.argv)>1 and sys.argv[1] not in id): continue
        try:
            o.send(o.request(id)); n+=1
        except Exception as e:
            print(id, type(e).__name__, str(e)[:330])
    print(n)
