class Killed: pass
