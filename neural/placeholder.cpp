namespace stride {}
