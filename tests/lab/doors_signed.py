class Fwknop: pass
class Signed: pass
