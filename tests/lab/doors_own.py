class Own: pass
class Secret: pass
