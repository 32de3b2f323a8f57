"""Document frequencies of words in questions and descriptions of functions.

The counts, rounded, are from the development half of the single-turn cases of the Berkeley Function
Calling Leaderboard v4 (Apache-2.0, https://gorilla.cs.berkeley.edu): the text of a user's question
is one document, that of a function another. Words of less than three documents are left out.
"""

DOCUMENTS = 564
_WORDS_BY_COUNT = {
    500: """
        the
    """,
    400: """
        a of
    """,
    320: """
        in
    """,
    260: """
        and for to
    """,
    210: """
        is
    """,
    170: """
        default
    """,
    140: """
        on
    """,
    110: """
        based be calculate get location name specific
    """,
    90: """
        city find from given number retrieve specified which with
    """,
    75: """
        if or s type you
    """,
    60: """
        an as e optional provided state that what where
    """,
    50: """
        are at by can format g include list search should time value will
    """,
    40: """
        all current date me need new not return second such unit want year
    """,
    33: """
        i information its m player price start this two york
    """,
    27: """
        about area days dd fetch game mm rate required result used user using who within yyyy
    """,
    22: """
        book ca convert country data details event false file first function id initial it
        level meters one temperature use whether
    """,
    18: """
        activity air amount array available between calculates certain content criteria end etc
        example filter generate height history how info item like maximum most parameters
        period point range san score their weather
    """,
    15: """
        angeles availability b car category celsius company could desired distance duration
        forecast has league los minimum my ny object order particular perform place preferred
        rating request single size statistics stock store term total true weight when
    """,
    12: """
        acceleration annual another average body c customer decimal during empty fahrenheit
        field flag food frame francisco identifier interest key measurement no path person
        predict product query restaurant set sort sports velocity
    """,
    10: """
        api artist being card case check color considered constant conversion create determine
        each equation final free give help high historical hotel hours index investment latest
        length local max minutes movies nearby percentage preferences related represents same
        service servings speed square standard status string t team then tickets title triangle
        volume was x your
    """,
    8: """
        add additional allow angle any best century com concert containing currency degrees
        destination different dontcare electric ensure flight forest friendly future generates
        genre have hh house human indicating input integer kilograms know law library mass min
        model moderate month music nature net next nights off only out park people per platform
        population possible preference pressure probability quantity radius rank recipe region
        resistance roots round save scale sculpture season send strength subject suitable sum
        system take target test text th them tool top unique url vegan wait working
    """,
    6: """
        applied ascending atm basketball building california change circle closest conditions
        count culture d daily database dataset deck description disabled displacement
        estimators exchange execute features flow followed france frequency full group growth
        individual interface involving ironing kg king language lawsuits limit london major
        market museum must nba paris plant president quadratic record rental response right
        room route space species specifies trip up us vegetarian window without written
    """,
    5: """
        absolute action address after also american analysis audio bedrooms before berkeley
        black budget business cash charge chess classical cleaning closing cm co coefficient
        compound confidence cooking coulombs departure desc descending discounted do email
        exist factor feet geographical grocery happening http image impact italian john look
        low ls ma magnetic make matching material more motion multiple n nasdaq output over
        pair part pet pm present purchase recommend report review sample selected suit tell
        travel u uber usd valid world
    """,
    4: """
        accommodate account amperes analyze apple asc assist associated atmospheric auth beats
        bmi boston branches calc capacity clients clubs code common comprehensive conductor
        control cost decay denver dietary directory doesn domain dropped ethernet fabric face
        facilities gluten hard hearts heat highest home humidity importance inactive into
        inventory japanese latitude line longitude main mandates many medium metric neuronal
        node num occurs other painting pending plus pod potential precise process quality
        queried question random recent regular reserve respectively rewards run sale series
        significant similar solve song stars straight sub synaptic temp theater three timezone
        topic trees trends upcoming ur view war wave well width wire zone
    """,
    3: """
        accept access accordingly ace adjustment adults age agent airline airport alpha am
        amplitude apartment apply april art articles assuming attributes bangkok bank barcelona
        bats been blue both brand bx carrying cc centimeters champions championships cheap
        chonburi choose chosen class classifier clothing combine comfort coordinates
        corresponding cross customized decide decreases delivery density depart depth diamonds
        dictionary diego discovery disk district document dollars dominant double down drama
        drawing ds economy electronics elements enable english entry european evolutionary
        experiment exploration extension fastest fi floating formatted found four gauge giving
        goal google gravitational gravity having headers here hilton his holy horse housekeeper
        html hz imax img immediately inc inclusive income increases instrument interval iso
        itinerary kinematics lakers lang largest lat linear loan logic mean message method
        missions money moving mutation narrow national near network none now npv null numeric
        operating opponent origin otherwise paid params partner payment permeability phrase
        piece playstation positive post power precipitation premier principle progress project
        province radians reach receive rectangle restock restrict ride safeway schedule
        scientific seating seattle sectional sentiment separate session setting show sign
        significance social spades spanish ss stay substance summary tails tempo there
        threshold through timeout timing today tomatoes train traits transportation uefa under
        urban username usually v vacuum variables various villa wa way web weighs whom wind won
        yamaha
    """,
}
WORD_COUNTS: dict[str, int] = {
    word: count for count, words in _WORDS_BY_COUNT.items() for word in words.split()
}
